// Package calendar reads what calendars in mail ask and answer (RFC 5545, 5546):
// invitations, cancellations, replies.
//
// Nothing here fails: what can't be read is left out. The values are read by
// go-ical; it gets only lines that were taken apart and written anew before,
// since it is made for calendars of friends.
package calendar
