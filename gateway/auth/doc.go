// Package auth says who really sent a mail: SPF (RFC 7208), DKIM (RFC 6376, 8301,
// 8463) and DMARC (RFC 9989) over its octets as received, within one budget of
// time for all that DNS is asked.
//
// What a mail says of itself proves nothing. Fields in which a stranger speaks
// with our voice are found by Forged, so that no webhook sees them. A signature
// proves only what readers see: where they begin the body at another octet, or see a
// further Subject or another one than was signed, it is "policy", never "pass".
//
// A check never fails and never loses mail. What DNS doesn't answer in time is a
// "temperror", which is neither a pass nor a reason to refuse for good; what can't
// be checked (SPF of a client on our own network) is not in the verdict.
package auth
