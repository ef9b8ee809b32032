// Package css reads what a mail's style sheets and style attributes say about
// whether text is seen: declarations, colours, lengths, clipping, media queries,
// selectors' arguments. It knows nothing of a page; htmltext applies it to one.
//
// Nothing fails. What isn't understood counts for nothing, as in browsers, and each
// function reads its input once, so that the time is linear in the style sheet,
// whatever it holds. Input is octets as they stand in the mail; only Lower and what
// says so changes them. Relative sizes are reckoned for a window of PageWidth pixels
// and a font of DefaultSize, which is what a mail reader on a desktop has.
package css
