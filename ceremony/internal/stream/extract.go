package stream

import (
	"io"

	"tufceremony/ceremony/internal/spool"
)

// extract gives the canonical bytes of a published file. Where the file has them
// as they are, as one without delegations has that seal wrote, they are a part of
// it, and nothing is copied.
type extract struct {
	file    []byte
	scanner *Scanner
	same    int64         // how far the file has them as they are
	copied  *spool.Writer // the canonical bytes, where it does not
}

func (x *extract) take(canonical []byte, moved bool) error {
	if x.copied == nil && !moved {
		x.same += int64(len(canonical))
		return nil
	}
	if x.copied == nil {
		x.copied = &spool.Writer{}
		if _, err := io.Copy(x.copied, spool.NewReader(x.part())); err != nil {
			return err
		}
	}
	_, err := x.copied.Write(canonical)
	return err
}

// part is what the file has as it is.
func (x *extract) part() []byte {
	from := x.scanner.signed
	return x.file[from : from+x.same : from+x.same]
}

func (x *extract) bytes() ([]byte, error) {
	if x.copied == nil {
		return x.part(), nil
	}
	return x.copied.Bytes()
}
