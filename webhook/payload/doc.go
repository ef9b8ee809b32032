// Package payload renders a delivery into the body of a POST, one file a
// format. Rendering is deterministic and streams from the message's source: a
// body's length is known before its first octet is written, and nothing holds
// a whole large attachment.
package payload
