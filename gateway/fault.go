package gateway

// The steps between the last octet and the reply at which a test can end the
// process. At each of them the message must still have one owner.
const (
	FaultSpooled  = "spooled"  // the last octet is in the spool
	FaultParsed   = "parsed"   // before any webhook is asked
	FaultAnswered = "answered" // a webhook has answered, nobody knows yet
	FaultStaged   = "staged"   // the body is durable, its deliveries are not
	FaultEnqueued = "enqueued" // the deliveries are durable
	FaultVerdict  = "verdict"  // the reply is about to be written
)

// fault tells a test which step was reached.
func (g *Gateway) fault(point string) {
	if g.Fault != nil {
		g.Fault(point)
	}
}
