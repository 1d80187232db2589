package schedule

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

// What has become of a bundle that was sealed and kept, as a revocation is that
// stands by for the day when a key is stolen.
const (
	Live      = "live"      // it can be published today
	Lapsed    = "lapsed"    // it could, had it not expired
	Dead      = "dead"      // another root of its version is there
	Published = "published" // its own root is there
	Foreign   = "foreign"   // it does not follow this repository's newest root
)

// Standing is a sealed bundle and what it is good for.
type Standing struct {
	File string
	Kind string // of its plan, "" where that cannot be read
	// Revokes names the tokens of a standby revocation; nothing of others.
	Revokes []string
	Root    int64 // that it makes, 0 where it makes none
	State   string
	Until   time.Time // when the first of its metadata expires
	Why     string    // in words
	// digest of the root that it makes
	digest string
}

// Stand judges a sealed bundle against the newest root of a repository. A live
// one has been verified from that root: what it says of itself is not enough.
func Stand(b Sealed, chain *inspect.Roots, roots []inspect.File, at time.Time) Standing {
	s := Standing{File: b.Name, State: Foreign}
	if p, err := plan.Parse(b.Files[folder.Plan]); err == nil {
		s.Kind = string(p.Kind)
		if p.Compromise != nil && p.Compromise.Standby {
			s.Revokes = p.Compromise.Tokens
		}
	}
	made, err := s.read(b.Files)
	if err != nil {
		s.Why = err.Error()
		return s
	}
	newest := chain.Last().Root.Version
	switch {
	case s.Root <= newest && published(chain, s.Root, made):
		s.State, s.Why = Published, fmt.Sprintf("root %d is the one in this bundle", s.Root)
	case s.Root <= newest:
		s.State, s.Why = Dead, fmt.Sprintf("dead since root %d is there: remove it, and every other that was made with it", s.Root)
	case s.Root != newest+1:
		s.Why = fmt.Sprintf("makes root %d, and root %d is the newest here", s.Root, newest)
	case !s.Until.After(at):
		s.State, s.Why = Lapsed, "expired on "+tufmeta.Stamp(s.Until)
	default:
		if _, err := verify.Files(b.Files, data(chain, roots), at); err != nil {
			s.Why = "does not verify from root " + strconv.FormatInt(newest, 10) + ": " + first(err)
			return s
		}
		s.State, s.Why = Live, fmt.Sprintf("lapses when root %d is published, and on %s", s.Root, tufmeta.Stamp(s.Until))
	}
	return s
}

// first is the first thing that is wrong.
func first(err error) string {
	var refused *check.Error
	if errors.As(err, &refused) && len(refused.Results) > 0 {
		return refused.Results[0].Check + ", " + refused.Results[0].Detail
	}
	return err.Error()
}

// read takes version and expiry out of what the bundle makes, and gives what is
// signed of its root.
func (s *Standing) read(files folder.Files) (made []byte, err error) {
	versions, err := files.Versions(folder.Metadata)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		env, err := tufmeta.ParseEnvelope(files[folder.Metadata+"/"+v.File()])
		if err != nil {
			return nil, err
		}
		common, err := tufmeta.ParseCommon(env.Signed)
		if err != nil {
			return nil, err
		}
		expires, err := common.ExpiresAt()
		if err != nil {
			return nil, err
		}
		if s.Until.IsZero() || expires.Before(s.Until) {
			s.Until = expires
		}
		if v.Role == "root" {
			s.Root, s.digest, made = common.Version, tufmeta.Digest(env.Canonical), env.Canonical
		}
	}
	if made == nil {
		return nil, errors.New("makes no root")
	}
	return made, nil
}

func published(chain *inspect.Roots, version int64, made []byte) bool {
	for _, l := range chain.Links {
		if l.Root.Version == version {
			return bytes.Equal(l.Envelope.Canonical, made)
		}
	}
	return false // before the first root here
}

// data is the file of the newest root.
func data(chain *inspect.Roots, roots []inspect.File) []byte {
	for _, f := range roots {
		if f.Name == chain.Last().Name {
			return f.Data
		}
	}
	return nil
}
