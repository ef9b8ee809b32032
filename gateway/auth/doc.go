// Package auth is about who really sent a mail.
//
// What a mail says of itself proves nothing. Fields in which a stranger speaks
// with our voice are found by Forged, so that nobody behind the door sees them.
package auth
