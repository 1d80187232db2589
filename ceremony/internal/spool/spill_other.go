//go:build !linux

package spool

// spill does nothing: elsewhere everything is held in memory.
func (w *Writer) spill() error { return nil }

func (w *Writer) mapped() ([]byte, error) { return w.held.Bytes(), nil }
