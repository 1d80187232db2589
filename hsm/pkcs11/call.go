//go:build cgo

package pkcs11

import (
	"fmt"
	"sync"
	"time"

	"tufceremony/hsm"
)

// generationFactor is how much longer a module may take over a call that makes
// a key or a token: small devices search minutes for the primes of RSA.
const generationFactor = 10

// ask is the only way into a module: one call at a time, each with a limit. A
// call that takes longer is given up. Its goroutine stays behind, inside the
// module, where nothing can reach it, and so does whatever f has to say: values
// come back through a channel, and nobody else may look at what f writes. From
// then on nothing is asked of the module, not even to finalise.
func ask[T any](m *module, limit time.Duration, f func(cryptoki) (T, error)) (T, error) {
	if m.registry.stopping.Load() {
		var nothing T
		return nothing, errStopped
	}
	return askLast(m, limit, f)
}

// askLast also asks while the program ends.
func askLast[T any](m *module, limit time.Duration, f func(cryptoki) (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost != nil {
		var nothing T
		return nothing, m.lost
	}
	return run(m, limit, f)
}

// run is called with m.mu held. The goroutine that waits and the one that is in
// the module are two, since a call into C cannot be taken back.
func run[T any](m *module, limit time.Duration, f func(cryptoki) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	expired := m.watch.begin(limit)
	go func() {
		value, err := f(m.library)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		m.watch.end()
		return a.value, a.err
	case <-expired:
		m.lost = noAnswer(limit)
		var nothing T
		return nothing, m.lost
	}
}

// tell is ask where there is nothing to know but that it was done.
func tell(m *module, limit time.Duration, f func(cryptoki) error) error {
	_, err := ask(m, limit, func(c cryptoki) (struct{}, error) { return struct{}{}, f(c) })
	return err
}

func (m *module) finalize(limit time.Duration) error {
	_, err := askLast(m, limit, func(c cryptoki) (struct{}, error) { return struct{}{}, c.Finalize() })
	return err
}

func noAnswer(limit time.Duration) error {
	return fmt.Errorf("%w within %v and was given up; this program asks it nothing more", hsm.ErrNoAnswer, limit)
}

// givenUp says whether nothing is asked of the module any more.
func (m *module) givenUp() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost != nil
}

// finalizeAll finalises what this process has initialised, and refuses
// everything that follows. A call that is under way is waited for, and nothing
// overtakes it: whoever asks on and on would keep the lock to himself. The whole
// takes no longer than patience, since somebody wants the process to end.
func (r *registry) finalizeAll(patience time.Duration) error {
	end := time.Now().Add(patience)
	r.stopping.Store(true)
	if !lockUntil(&r.mu, end) {
		return fmt.Errorf("finalising PKCS#11 modules: one is being loaded: %w", noAnswer(patience))
	}
	defer r.mu.Unlock()
	var first error
	for _, m := range r.modules {
		if err := m.stop(end, patience); err != nil && first == nil {
			first = fmt.Errorf("finalising PKCS#11 module %q: %w", m.source.path, translate(err))
		}
	}
	return first
}

// stop is called with registry.mu held.
func (m *module) stop(end time.Time, patience time.Duration) error {
	if !lockUntil(&m.mu, end) {
		return noAnswer(patience)
	}
	defer m.mu.Unlock()
	if m.lost != nil {
		return nil
	}
	m.lost = errStopped
	if m.users == 0 {
		return nil
	}
	_, err := run(m, max(time.Until(end), time.Millisecond), func(c cryptoki) (struct{}, error) {
		return struct{}{}, c.Finalize()
	})
	return err
}

// lockUntil takes a lock that whoever has it may never give back.
func lockUntil(mu *sync.Mutex, end time.Time) bool {
	for !mu.TryLock() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
	return true
}
