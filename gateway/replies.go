package gateway

import (
	"errors"

	"postern/gateway/smtp/reply"
	"postern/retry"
	"postern/webhook"
)

// The gateway's own replies, but for those that the directory or a webhook words.
var (
	replyNoRecipient      = reply.Reply{Code: 550, Enhanced: reply.Enhanced{5, 1, 1}, Lines: []string{"No such recipient here"}}
	replyNoEndpoint       = reply.Reply{Code: 450, Enhanced: reply.Enhanced{4, 3, 0}, Lines: []string{"The recipient can't be served yet, please try again later"}}
	replyNoTerminal       = reply.Reply{Code: 450, Enhanced: reply.Enhanced{4, 2, 1}, Lines: []string{"No terminal answers for this recipient now"}}
	replyNotDelivered     = reply.Reply{Code: 451, Enhanced: reply.Enhanced{4, 4, 1}, Lines: []string{"No terminal took the message"}}
	replyNoRequireTLS     = reply.Reply{Code: 550, Enhanced: reply.Enhanced{5, 7, 30}, Lines: []string{"REQUIRETLS can't be kept: the recipient's webhook is not https"}}
	replyOtherEndpoint    = reply.Reply{Code: 452, Enhanced: reply.Enhanced{4, 5, 3}, Lines: []string{"This recipient goes elsewhere than the first; send it a message of its own"}}
	replyNoMemory         = reply.Reply{Code: 452, Enhanced: reply.Enhanced{4, 3, 1}, Lines: []string{"There is no memory for the message now, please try again later"}}
	replySpoolFull        = reply.Reply{Code: 452, Enhanced: reply.Enhanced{4, 3, 1}, Lines: []string{"No room for a message of that size now, please try again later"}}
	replyFull             = reply.Reply{Code: 452, Enhanced: reply.Enhanced{4, 3, 1}, Lines: []string{"The queue is full, please try again later"}}
	replyEndpointFull     = reply.Reply{Code: 452, Enhanced: reply.Enhanced{4, 2, 2}, Lines: []string{"Too much mail waits for this recipient, please try again later"}}
	replyCantWrite        = reply.Reply{Code: 451, Enhanced: reply.Enhanced{4, 3, 0}, Lines: []string{"The message can't be stored now, please try again later"}}
	replyLocalError       = reply.Reply{Code: 451, Enhanced: reply.Enhanced{4, 3, 0}, Lines: []string{"Local error, please try again later"}}
	replyNothingToCollect = reply.Reply{Code: 502, Enhanced: reply.Enhanced{5, 7, 1}, Lines: []string{"There is nothing that you may collect"}}
	replySpam             = reply.Reply{Code: 550, Enhanced: reply.Enhanced{5, 7, 1}, Lines: []string{"Message refused as spam"}}
	replyLater            = reply.Reply{Code: 451, Enhanced: reply.Enhanced{4, 7, 1}, Lines: []string{"Please try again later"}}
	replyDMARC            = reply.Reply{Code: 550, Enhanced: reply.Enhanced{5, 7, 1}, Lines: []string{"The sender's domain asks to reject mail that fails DMARC"}}
)

// replyAccepted is the 250 after which the message is ours.
func replyAccepted(id string) reply.Reply {
	return reply.Reply{Code: 250, Enhanced: reply.Enhanced{2, 0, 0}, Lines: []string{"Taken as " + id}}
}

// failure is the reply to a sender who keeps the mail.
func failure(o webhook.Outcome) reply.Reply { return o.SMTPReply() }

// storeFailure is the reply to a message that the queue could not store.
func storeFailure(err error) reply.Reply {
	if errors.Is(err, retry.ErrFull) {
		return replyFull
	}
	return replyCantWrite
}
