// Package stream reads and writes metadata of any size in one pass and in
// memory that does not grow with it.
//
//	s := stream.OpenPayload(data)       // a payload: canonical bytes and nothing else
//	s, err := stream.OpenEnvelope(data) // a file as clients fetch it, in memory or from spool
//	defer s.Close()
//	for s.Next() {
//		e := s.Entry() // a field, a target, a delegated role …
//	}
//	if err := s.Err(); err != nil { ... }
//	digest := s.Digest() // SHA-256 of the canonical bytes of the signed part
//
// It holds a file to what package tufmeta holds it to: strict JSON, integers
// up to 2^53-1, valid UTF-8, no member twice, a payload canonical to the byte.
// Members must ascend, as they do in canonical form, which finds one that
// stands twice without remembering those before it. Errors are
// *tufmeta.SyntaxError and name the byte and the member; nothing that was read
// up to there is to be used, so wait for Err before you believe an Entry.
//
// Two passes side by side give what differs between two versions (Compare), a
// pass and a list of edits the next version (Merge), a pass over a payload and
// its signatures the published file (Seal): the bytes that were signed are
// copied, never encoded anew.
//
// It will not read an entry of more than MaxEntry bytes, nor a large file whose
// members are not sorted. It judges no policy, and of what the entries say it
// knows a target's form (ParseTarget) and no other. It opens no file.
package stream
