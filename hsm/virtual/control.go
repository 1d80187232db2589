package virtual

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// request is one line of JSON from whoever tests, about one reader. A reply is
// one line back.
type request struct {
	Reader int
	Do     string
	Fault  *Fault        `json:",omitempty"`
	INS    byte          `json:",omitempty"`
	Delay  time.Duration `json:",omitempty"`
	On     bool          `json:",omitempty"`
	Card   string        `json:",omitempty"` // as ParseConfig reads it
}

type reply struct {
	Error    string    `json:",omitempty"`
	Log      []Entry   `json:",omitempty"`
	Counters *Counters `json:",omitempty"`
	Plugged  bool      `json:",omitempty"`
}

// control obeys one connection until it closes.
func control(conn net.Conn, readers []*reader) {
	defer conn.Close()
	decoder, encoder := json.NewDecoder(conn), json.NewEncoder(conn)
	for {
		var q request
		if err := decoder.Decode(&q); err != nil {
			return
		}
		r, err := obey(q, readers)
		if err != nil {
			r.Error = err.Error()
		}
		if err := encoder.Encode(r); err != nil {
			return
		}
	}
}

func obey(q request, readers []*reader) (reply, error) {
	if q.Reader < 0 || q.Reader >= len(readers) {
		return reply{}, fmt.Errorf("there is no reader %d, only %d of them", q.Reader, len(readers))
	}
	r := readers[q.Reader]
	switch q.Do {
	case "plug":
		return reply{}, r.plug()
	case "unplug":
		return reply{}, r.unplug()
	case "replace", "swap":
		return reply{}, exchange(r, q.Do == "swap", q.Card)
	}
	card, plugged := r.look()
	if card == nil {
		return reply{}, errNoCard
	}
	if q.Do == "touch" {
		return reply{}, card.bench.touchNow()
	}
	return card.bench.obey(q, plugged)
}

// exchange makes a new card and puts it where the old one was.
func exchange(r *reader, inPlace bool, text string) error {
	config, err := ParseConfig(text)
	if err != nil {
		return err
	}
	if config.Empty {
		return r.replace(nil)
	}
	card, err := New(config)
	if err != nil {
		return err
	}
	if inPlace {
		return r.swap(card)
	}
	return r.replace(card)
}

// obey has the orders that concern the card alone.
func (b *bench) obey(q request, plugged bool) (reply, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch q.Do {
	case "fault":
		if q.Fault == nil || q.Fault.At < 0 || (q.Fault.SW == 0) == (q.Fault.Pull == pullNot) {
			return reply{}, errors.New("a fault wants an APDU, and a status word or a pull")
		}
		b.faults = append(b.faults, *q.Fault)
	case "miss-touch":
		b.miss++
	case "by-hand":
		b.byHand = q.On
	case "slow":
		b.delay = q.Delay
	case "slow-ins":
		b.delays[q.INS] = q.Delay
	case "heal":
		b.faults, b.miss, b.byHand, b.delay = nil, 0, false, 0
		clear(b.delays)
	case "log":
		return reply{Log: append([]Entry(nil), b.log...)}, nil
	case "forget-log":
		b.log = nil
	case "counters":
		counters := b.counters
		return reply{Counters: &counters, Plugged: plugged}, nil
	default:
		return reply{}, fmt.Errorf("there is no order %q", q.Do)
	}
	return reply{}, nil
}
