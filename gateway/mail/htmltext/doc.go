// Package htmltext reads the HTML of a mail as a person reads it: one tree of
// what is visible, and two outputs made from it, plain text and Markdown.
//
// The text is exactly the visible characters: blanks stand only where the HTML
// has them, and nothing is lost that a reader sees. What is added is marked by
// form alone: a link's target in angle brackets, list marks, "> " for quotes.
// What a mail hides (display, visibility, opacity, sizes of nothing, colour on
// the same colour, positions outside the page) is in neither output; Hidden
// tells of it.
//
// Read never fails: every string is some HTML. Its time is linear in the HTML,
// its memory bounded (Limit), whatever is nested or repeated in it.
package htmltext
