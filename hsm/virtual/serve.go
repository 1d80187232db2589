package virtual

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// Serve plugs every card into the vpcd that listens on its Config.Port of this
// machine, and obeys who connects to listener (see Dial) until that is closed.
// It is what a Stack does inside, for a pcscd that runs already.
func Serve(listener net.Listener, cards ...Config) error {
	readers := make([]*reader, len(cards))
	for i, card := range cards {
		readers[i] = newReader(card.Port)
	}
	if err := plugAll(readers, cards); err != nil {
		return errors.Join(err, listener.Close())
	}
	serveControl(listener, readers)
	for _, r := range readers {
		r.unplug() // at most, it is out already
	}
	return nil
}

func newReader(port int) *reader { return &reader{address: fmt.Sprintf("127.0.0.1:%d", port)} }

// plugAll makes the cards and puts all of them in at once: pcscd looks at its
// readers only every 400 ms.
func plugAll(readers []*reader, cards []Config) error {
	failures := make([]error, len(cards))
	var plugging sync.WaitGroup
	for i, config := range cards {
		if config.Empty {
			continue
		}
		plugging.Go(func() {
			card, err := New(config)
			if err != nil {
				failures[i] = err
				return
			}
			failures[i] = readers[i].replace(card)
		})
	}
	plugging.Wait()
	return errors.Join(failures...)
}

func serveControl(listener net.Listener, readers []*reader) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go control(conn, readers)
	}
}
