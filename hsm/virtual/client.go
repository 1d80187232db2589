package virtual

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Client reaches the cards of a running stack. It is safe for concurrent use.
type Client struct {
	path string
	mu   sync.Mutex
	conn net.Conn
	in   *json.Decoder
	out  *json.Encoder
}

// Dial connects to the control socket of a stack, in this process or another.
func Dial(path string) (*Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("reaching the virtual cards: %w", err)
	}
	return &Client{path: path, conn: conn, in: json.NewDecoder(conn), out: json.NewEncoder(conn)}, nil
}

// Close ends the connection. The cards stay as they are.
func (c *Client) Close() error { return c.conn.Close() }

// Card is what lies in or beside the n-th reader, counted from 0.
func (c *Client) Card(n int) *Remote { return &Remote{client: c, reader: n} }

func (c *Client) ask(q request) (reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var r reply
	if err := errors.Join(c.out.Encode(q), c.in.Decode(&r)); err != nil {
		return reply{}, fmt.Errorf("asking the virtual cards to %q: %w", q.Do, err)
	}
	if r.Error != "" {
		return reply{}, fmt.Errorf("asking virtual card %d to %q: %s", q.Reader, q.Do, r.Error)
	}
	return r, nil
}

// Remote orders one card about. Every method returns when it is done.
type Remote struct {
	client *Client
	reader int
}

func (r *Remote) order(q request) error {
	_, err := r.ask(q)
	return err
}

func (r *Remote) ask(q request) (reply, error) {
	q.Reader = r.reader
	return r.client.ask(q)
}

// Unplug pulls the card, and returns when vpcd knows; pcscd's clients see it
// within 400 ms.
func (r *Remote) Unplug() error { return r.order(request{Do: "unplug"}) }

// Plug puts it back, and returns when pcscd has switched it on. What the card
// had stored is still there.
func (r *Remote) Plug() error { return r.order(request{Do: "plug"}) }

// Replace takes the card away and plugs a factory-new one, or with
// Config.Empty none. The reader keeps its name and port.
func (r *Remote) Replace(config Config) error {
	return r.order(request{Do: "replace", Card: config.String()})
}

// Swap is Replace without the removal: it takes no time, and no client sees a
// card go. For tests that only want a fresh card, and have none open.
func (r *Remote) Swap(config Config) error {
	return r.order(request{Do: "swap", Card: config.String()})
}

// When a card is pulled.
const (
	Before = pullBefore // it has not done what it was asked
	After  = pullAfter  // it has, and nobody hears of it
)

// PullAt pulls the card at the n-th APDU from now; 1 is the next one. Plug
// puts it back.
func (r *Remote) PullAt(n int, when Pull) error {
	return r.order(request{Do: "fault", Fault: &Fault{At: n, Pull: when}})
}

// PullAtINS pulls the card at the next APDU with this instruction.
func (r *Remote) PullAtINS(ins byte, when Pull) error {
	return r.order(request{Do: "fault", Fault: &Fault{INS: ins, Pull: when}})
}

// AnswerAt answers the n-th APDU from now with a status word, and does nothing
// of what it asks.
func (r *Remote) AnswerAt(n int, sw uint16) error {
	return r.order(request{Do: "fault", Fault: &Fault{At: n, SW: sw}})
}

// AnswerINS is AnswerAt for the next APDU with this instruction.
func (r *Remote) AnswerINS(ins byte, sw uint16) error {
	return r.order(request{Do: "fault", Fault: &Fault{INS: ins, SW: sw}})
}

// MissTouch lets the next wait for a touch run out, as if nobody had come.
// Without it every touch comes at once.
func (r *Remote) MissTouch() error { return r.order(request{Do: "miss-touch"}) }

// TouchByHand lets touches come only from Touch, until it is turned off.
func (r *Remote) TouchByHand(on bool) error { return r.order(request{Do: "by-hand", On: on}) }

// Touch touches the card as soon as it waits for that, which must be within
// 10 s. The client's other orders wait meanwhile.
func (r *Remote) Touch() error { return r.order(request{Do: "touch"}) }

// Slow delays every APDU, from now on.
func (r *Remote) Slow(delay time.Duration) error { return r.order(request{Do: "slow", Delay: delay}) }

// SlowINS delays every APDU with this instruction.
func (r *Remote) SlowINS(ins byte, delay time.Duration) error {
	return r.order(request{Do: "slow-ins", INS: ins, Delay: delay})
}

// Heal takes back all faults and delays that have not happened yet.
func (r *Remote) Heal() error { return r.order(request{Do: "heal"}) }

// Log is every APDU since the card was made or the log forgotten.
func (r *Remote) Log() ([]Entry, error) {
	reply, err := r.ask(request{Do: "log"})
	return reply.Log, err
}

// ForgetLog empties the log. The counters go on.
func (r *Remote) ForgetLog() error { return r.order(request{Do: "forget-log"}) }

// Counters count since the card was made.
func (r *Remote) Counters() (Counters, error) {
	reply, err := r.ask(request{Do: "counters"})
	if err != nil {
		return Counters{}, err
	}
	return *reply.Counters, nil
}

// Plugged says whether the card is in the reader: a fault may have pulled it.
func (r *Remote) Plugged() (bool, error) {
	reply, err := r.ask(request{Do: "counters"})
	return reply.Plugged, err
}
