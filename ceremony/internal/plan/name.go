package plan

// TokenName reports whether a plan may call a token so: it is typed after
// `sign --token`, and names files in keys/.
func TokenName(name string) bool { return tokenName.MatchString(name) }
