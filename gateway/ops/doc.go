// Package ops is the HTTP side of the gateway: probes, metrics, the operator's
// API and page, and the content that payloads name by url.
//
// Nothing here decides about mail. A fault of this package never delays,
// refuses or loses a message: observers only count, the API changes the queue
// through the same functions as the command line, and content is read from the
// store, never removed. Without a token the API and the page are off; probes
// and metrics show no address, no url and no secret.
package ops
