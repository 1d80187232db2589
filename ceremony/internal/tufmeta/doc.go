// Package tufmeta reads TUF metadata as bytes: strict JSON, canonical JSON,
// keys and key IDs, signatures and thresholds.
//
//	env, err := tufmeta.ParseEnvelope(data)     // a file as clients fetch it
//	root, err := tufmeta.ParseRoot(env.Signed)
//	tally := tufmeta.Count(env.Canonical, env.Signatures, root.Keys, root.Roles["root"])
//	if !tally.Reached() { ... }
//
// It is the project's own because nothing else may stand between the bytes
// that people approve and the bytes that are hashed. It works on the JSON
// tree, so fields that it does not know survive. It refuses what two readers
// could understand differently: duplicate members, members that differ from
// a known one in case only, numbers that are not integers up to 2^53-1,
// invalid UTF-8, lone surrogates.
//
// It will not judge policy (package check has the rules), read a clock, touch
// a file, or correct what it reads: a wrong key ID is looked up as it is
// listed and reported by Key.IDMatches, an odd time is kept as text.
package tufmeta
