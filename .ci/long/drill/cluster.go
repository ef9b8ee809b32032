package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry/postgres/pgtest"
	"postern/retry/s3/s3test"
)

// replicas is how many there are.
const replicas = 3

const bucket = "mail"

// cluster is the replicas and what they work with.
type cluster struct {
	dir      string
	book     *account
	db       *pgtest.Server
	bodies   *s3test.Server
	replicas []*replica
}

// replica is a postern process and its ways to the database and the object store.
type replica struct {
	number int
	binary string
	dir    string
	smtp   string
	env    []string
	db, s3 *proxy
	cmd    *exec.Cmd
}

func newCluster(binary string, hook *webhook, book *account) (c *cluster, err error) {
	c = &cluster{book: book}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.dir, err = os.MkdirTemp("", "drill-"); err != nil {
		return c, err
	}
	if c.db, err = pgtest.New(); err != nil {
		return c, err
	}
	store := filepath.Join(c.dir, "s3")
	if err := os.Mkdir(store, 0o755); err != nil {
		return c, err
	}
	if c.bodies, err = s3test.New(store); err != nil {
		return c, err
	}
	if err := errors.Join(c.bodies.Bucket(bucket), c.bodies.Start(), c.db.Start()); err != nil {
		return c, err
	}
	dsn, err := url.Parse(c.db.URL("postgres"))
	if err != nil {
		return c, err
	}
	for n := range replicas {
		r := &replica{number: n, binary: binary, dir: filepath.Join(c.dir, strconv.Itoa(n)), db: newProxy(dsn.Host), s3: newProxy(c.bodies.Addr()), smtp: freeAddr()}
		if err := os.Mkdir(r.dir, 0o755); err != nil {
			return c, err
		}
		own := *dsn
		own.Host = r.db.addr()
		accept := "webhook"
		if n == replicas-1 {
			accept = "queue"
		}
		r.env = append(os.Environ(), c.bodies.Environ()...)
		r.env = append(r.env, "AWS_ENDPOINT_URL_S3=http://"+r.s3.addr(), "POSTERN_DOMAIN=mx.drill.test", "POSTERN_AUTHENTICATE=false", "POSTERN_RECIPIENTS=*@in.test",
			"POSTERN_SMTP_ADDR="+r.smtp, "POSTERN_HTTP_ADDR=off", "POSTERN_LOG_LEVEL=info", "POSTERN_ACCEPT="+accept, "POSTERN_SPOOL_DIR="+filepath.Join(r.dir, "spool"),
			"POSTERN_RETRY_STORE="+own.String(), "POSTERN_BODY_STORE=s3://"+bucket+"/drill", "POSTERN_WEBHOOK_URL="+hook.url+"/"+strconv.Itoa(n),
			"POSTERN_RETRY_FIRST=500ms", "POSTERN_RETRY_MAX_DELAY=4s", "POSTERN_SMTP_MAX_CONNECTIONS_PER_CLIENT=0")
		c.replicas = append(c.replicas, r)
		if err := r.start(); err != nil {
			return c, err
		}
	}
	return c, nil
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// close kills everything. With DRILL_KEEP the replicas' logs stay.
func (c *cluster) close() {
	for _, r := range c.replicas {
		r.kill()
		_ = r.db.l.Close()
		_ = r.s3.l.Close()
	}
	if c.bodies != nil {
		c.bodies.Kill()
	}
	if c.db != nil {
		c.db.Remove()
	}
	if os.Getenv("DRILL_KEEP") != "" {
		fmt.Println("logs are in", c.dir)
		return
	}
	_ = os.RemoveAll(c.dir)
}

// start starts the replica and waits until it listens.
func (r *replica) start() error {
	log, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r.cmd = exec.Command(r.binary, "serve")
	r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = r.env, log, log
	if err := r.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", r.smtp); err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("replica %d doesn't listen; see %s", r.number, log.Name())
}

func (r *replica) kill() {
	if r.cmd == nil || r.cmd.Process == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	r.cmd = nil
}

// waiting counts what is in the queue.
func (c *cluster) waiting() (n int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.db.URL("postgres"))
	if err != nil {
		return -1, err
	}
	defer conn.Close(ctx)
	return n, conn.QueryRow(ctx, "SELECT count(*) FROM postern.delivery").Scan(&n)
}
