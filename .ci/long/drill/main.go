// drill runs three replicas on one PostgreSQL and one S3 server, kills each of
// them and cuts their network at random under load, and holds the account of
// what was answered 250.
//
//	drill [-kills N] [-every TIME] [-rate N] [-drain TIME] [-seed N] [-control lost|damaged|twice|other-id] POSTERN
//
// Senders send each mail, small or of 100 to 500 KB, until it is answered 250, as
// an MTA does; the webhook answers a part of all requests 503 and breaks some off
// after it took them. At the end every mail must have been taken by the webhook,
// whole, or wait in the queue (none, unless -drain is too short for the leases of
// the killed to run out). A mail that was taken twice must have had the same
// webhook-id each time, and an outcome that nobody knew: the sender's or the
// webhook's connection broke, or something that the replica needed to write the
// outcome down failed in that moment.
//
// It exits non-zero when a mail is lost, or was taken twice without a reason. With
// -control it spoils some mails itself, in a run without kills, and exits non-zero
// unless the account notices just these.
// Everything stays on loopback.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

func main() {
	kills := flag.Int("kills", 70, "how many things are killed or cut")
	every := flag.Duration("every", 1200*time.Millisecond, "from one to the next, on average")
	rate := flag.Int("rate", 8, "mails a second")
	drain := flag.Duration("drain", 5*time.Minute, "for what waits at the end")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of all that is random")
	spoil := flag.String("control", "", "what is spoiled on purpose")
	flag.Parse()
	if flag.NArg() != 1 || *spoil != "" && controls[*spoil] == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *kills, *every, *rate, *drain, *seed, &control{kind: *spoil}); err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(1)
	}
}

func run(binary string, kills int, every time.Duration, rate int, drain time.Duration, seed uint64, spoil *control) error {
	began := time.Now()
	fmt.Println("seed", seed)
	book := &account{mails: map[int]*letter{}}
	hook := startWebhook(book, spoil, rand.New(rand.NewPCG(seed, 1)))
	defer hook.close()
	c, err := newCluster(binary, hook, book)
	if err != nil {
		return err
	}
	defer c.close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	sent := make(chan struct{})
	go func() { defer close(sent); sendAll(ctx, c, book, rate, seed) }()
	told := "nothing was killed"
	if spoil.kind == "" {
		told = c.havoc(kills, every, rand.New(rand.NewPCG(seed, 2)))
	} else if err := spoil.work(c.db.URL("postgres"), time.Duration(kills)*every); err != nil {
		return err
	}
	stop()
	<-sent // each of them has its 250
	hook.calm()
	waits := -1
	for end := time.Now().Add(drain); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if waits, err = c.waiting(); err == nil && waits == 0 && book.undelivered() == 0 {
			break
		}
	}
	fmt.Printf("%s, %d mails in all; %s\n", told, len(book.mails), time.Since(began).Round(time.Second))
	return spoil.judge(book.verdict(waits))
}
