package payload

import (
	"net/http"
	"strings"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// topicARN stands for the topic that there isn't.
const topicARN = "arn:aws:sns:us-east-1:000000000000:postern"

// SESSNS is Amazon SES's inbound notification through SNS, the message in
// base64. Nobody but Amazon can sign as SNS does, so this is for receivers that
// don't verify, as Anymail.
type SESSNS struct{}

// Name implements Format.
func (SESSNS) Name() string { return "ses-sns" }

// PerRecipient implements Format.
func (SESSNS) PerRecipient() bool { return false }

// Render implements Format.
func (SESSNS) Render(d Delivery, _ Options) (Body, error) {
	d, err := d.without(sesClaims)
	if err != nil {
		return Body{}, err
	}
	inner, err := sesNotification(&d)
	if err != nil {
		return Body{}, err
	}
	message, err := stream{inner.Length, inner.Write}.inJSON()
	if err != nil {
		return Body{}, err
	}
	id := uuid(d.ID)
	var c composer
	c.open('{')
	c.field("Type", "Notification")
	c.field("MessageId", id)
	c.field("TopicArn", topicARN)
	c.field("Subject", "Amazon SES Email Receipt Notification")
	c.key("Message")
	c.quoted(message)
	c.field("Timestamp", d.Envelope.Received.UTC().Format(instant))
	c.field("SignatureVersion", "1")
	c.field("Signature", "")
	c.field("SigningCertURL", "")
	c.field("UnsubscribeURL", "")
	c.close('}')
	b, err := c.body("text/plain; charset=UTF-8")
	b.Header = http.Header{
		"X-Amz-Sns-Message-Type":     {"Notification"},
		"X-Amz-Sns-Message-Id":       {id},
		"X-Amz-Sns-Topic-Arn":        {topicARN},
		"X-Amz-Sns-Subscription-Arn": {topicARN + ":" + uuid("subscription "+d.Endpoint)},
	}
	return b, err
}

// sesNotification is the JSON that SES hands to SNS.
func sesNotification(d *Delivery) (Body, error) {
	c := sesBody{d: d, m: d.Message}
	content, err := commonInBase64(d)
	if err != nil {
		return Body{}, err
	}
	c.open('{')
	c.field("notificationType", "Received")
	c.receipt()
	c.mail()
	c.key("content")
	c.quoted(content)
	c.close('}')
	return c.body("application/json")
}

type sesBody struct {
	composer
	d *Delivery
	m *mail.Message
}

func (c *sesBody) recipients(key string) {
	c.key(key)
	c.open('[')
	for _, r := range c.d.Recipients {
		c.str(r.Address)
	}
	c.close(']')
}

func (c *sesBody) receipt() {
	spf, dkim, dmarc := verdicts(c.d.Envelope)
	c.key("receipt")
	c.open('{')
	c.field("timestamp", c.d.Envelope.Received.UTC().Format(instant))
	c.key("processingTimeMillis")
	c.int(0)
	c.recipients("recipients")
	spam := "disabled"
	switch s := c.d.Envelope.Spam; {
	case s != nil && s.Spam():
		spam = "fail"
	case s != nil:
		spam = "pass"
	}
	for _, v := range [][2]string{{"spamVerdict", spam}, {"virusVerdict", "disabled"}, {"spfVerdict", spf}, {"dkimVerdict", dkim}, {"dmarcVerdict", dmarc}} {
		if v[1] == "" {
			continue
		}
		c.key(v[0])
		c.open('{')
		c.field("status", sesStatus(v[1]))
		c.close('}')
	}
	c.key("action")
	c.open('{')
	c.field("type", "SNS")
	c.field("topicArn", topicARN)
	c.field("encoding", "BASE64")
	c.close('}')
	c.close('}')
}

// sesStatus is a verdict in the words of SES.
func sesStatus(result string) string {
	switch result {
	case "pass", "fail", "disabled":
		return strings.ToUpper(result)
	case "temperror":
		return "PROCESSING_FAILED"
	default:
		return "GRAY"
	}
}

func (c *sesBody) mail() {
	c.key("mail")
	c.open('{')
	c.field("timestamp", c.d.Envelope.Received.UTC().Format(instant))
	c.field("source", c.d.Envelope.From)
	c.field("messageId", c.d.ID)
	c.recipients("destination")
	c.key("headersTruncated")
	c.bool(false)
	c.key("headers")
	c.open('[')
	for _, f := range fields(c.m, coded) {
		c.open('{')
		c.field("name", f.name)
		c.field("value", f.value)
		c.close('}')
	}
	c.close(']')
	c.key("commonHeaders")
	c.open('{')
	c.field("returnPath", c.d.Envelope.From)
	c.key("from")
	c.strs([]string{addressList(c.m.From)})
	c.key("to")
	c.strs([]string{addressList(c.m.To)})
	c.field("messageId", "<"+text.OneLine(c.m.MessageID)+">")
	c.field("date", firstValue(c.m, "Date"))
	c.field("subject", text.OneLine(c.m.Subject))
	c.close('}')
	c.close('}')
}
