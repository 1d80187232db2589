package projects

import (
	"errors"
	"fmt"

	"tufceremony/ceremony/internal/tufmeta"
)

// Statement is what a developer signs to prove that a key is theirs to sign
// with: these very bytes. It speaks of one repository, one project and one key,
// and begins as no metadata does, so that it proves nothing anywhere else.
func Statement(repository, project, fingerprint string) []byte {
	return fmt.Appendf(nil, "ceremony proof of possession 1\nrepository: %s\nproject: %s\nkey: %s\n", repository, Normalise(project), fingerprint)
}

// proved reports whether a key's proof is one, for a project of a repository.
func proved(repository, project string, listed Key, key *tufmeta.Key) error {
	if listed.Proof == nil {
		return errors.New("there is no proof that its developer has the private key")
	}
	if key.Verify(Statement(repository, project, key.Fingerprint()), listed.Proof) != nil {
		return fmt.Errorf("the proof is not this key's signature over the statement about this project in \"%s\"", tufmeta.Printable(repository))
	}
	return nil
}
