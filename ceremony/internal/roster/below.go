package roster

// Below is where a key stands in trusted delegations.
type Below struct {
	Roles []string // the delegated roles that it signs
	By    []string // who delegates them: targets, or a delegated role
	IDs   []string // key IDs under which it is listed
}
