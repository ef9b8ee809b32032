// Package tnef reads Outlook's winmail.dat (MS-OXTNEF): a stream of attributes,
// each with a level, an identifier, a length, data and a checksum. Only what a
// mail's reader wants is taken: the body and the attachments.
//
// Nothing here fails: whatever doesn't fit ends the reading, and what was read
// until then counts. Attachments are told by where they stand, not copied.
package tnef
