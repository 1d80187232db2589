package quorum

import "tufceremony/ceremony/internal/tufmeta"

// Lengths of what stands around a payload in its metadata file: the members of
// the envelope with a line feed, and those of each signature with a comma.
const (
	aroundPayload   = len(`{"signatures":[],"signed":}` + "\n")
	aroundSignature = len(`{"keyid":"","sig":""},`)
)

// LargestFile says how many bytes the metadata file of a payload has where
// everybody signs who may, under the old root and the new. Clients count the
// whole file, and who will sign is not known before it is signed.
func LargestFile(payload []byte, demands []Demand) int64 {
	size := int64(aroundPayload) + tufmeta.JSONLength(payload)
	seen := map[string]bool{}
	for _, d := range demands {
		for _, id := range d.Role.KeyIDs {
			key := d.Keys[id]
			if key == nil || seen[id] {
				continue
			}
			seen[id] = true
			size += int64(aroundSignature + len(id) + 2*key.SignatureLength())
		}
	}
	return size
}
