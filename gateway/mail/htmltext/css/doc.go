// Package css reads the parts of style sheets: declarations, values, lengths,
// colours, media queries. What isn't understood is left aside, as browsers do;
// nothing fails, and each function reads its input once.
package css
