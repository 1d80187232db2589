// Package plan reads plan.yaml: who signs what, how many must, until when it
// is good, and which checks are waived for which reason. It is the one place
// where policy is decided; no command takes any from a flag.
//
//	p, err := plan.Parse(files[folder.Plan])
//	err = p.Roster.LoadKeys(files)
//	err = p.LoadLists(files)
//	err = p.CheckExternals(files)
//
// Devices are provisioned before thresholds are decided; what an unfinished
// plan says of them is read by ParseDevices.
//
// The file is written by people and read aloud, so it is decoded strictly: an
// unknown field, a key that stands twice, an anchor or a second document is an
// error that names line, field and remedy (*Error).
//
// It will not fill in what is missing, read a clock, or look at metadata.
package plan

import (
	"fmt"
	"slices"
	"time"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/manifest"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/roster"
)

// Format is what the first field of every plan says.
const Format = "ceremony-plan-1"

// Kind is the occasion.
type Kind string

// The occasions. Genesis makes version 1 of root and targets; Rotation the
// next root, and targets where its keys change; Targets the next targets;
// Revocation is a rotation that answers a compromise.
const (
	Genesis    Kind = "genesis"
	Rotation   Kind = "rotation"
	Targets    Kind = "targets"
	Revocation Kind = "revocation"
)

// Plan is a plan.yaml that has been read and found complete.
type Plan struct {
	Kind       Kind
	Repository string
	Rehearsal  bool
	Opens      time.Time // of the signing window, UTC, whole seconds
	Closes     time.Time
	// ModuleTimeout is how long a PKCS#11 module may take to answer; 0 is as
	// long as the program thinks.
	ModuleTimeout time.Duration
	Policy        *Policy // nil where nothing is asked of devices
	Roster        roster.Roster
	Externals     []External     // other repositories, to whose keys delegations hand on
	Root          *Root          // nil in a targets ceremony
	Targets       *TargetsPlan   // nil where targets is not signed
	Delegated     []*TargetsPlan // further roles that are signed beside it, in the order of the plan
	Lifetimes     map[string]int // days, of snapshot and timestamp, for `publish --online-key`; nil where the plan has none
	Compromise    *Compromise    // what this ceremony answers; nil where nothing is compromised
	Dropped       []string       // roles that a new first targets delegates no more: a comment, not read again
	Waivers       []check.Waiver
	Supersedes    []Superseded // events that were given up
}

// Root is the root to be made. Roles has all four top-level roles.
type Root struct {
	Version int64
	Expires time.Time
	Roles   map[string]Role
}

// Role is a threshold and the names of tokens.
type Role struct {
	Threshold int
	Tokens    []string
}

// TargetsPlan is the metadata of targets, or of a role that it delegates to, as
// changes to the trusted one.
type TargetsPlan struct {
	Role      string // the delegated role; empty for targets
	Delegator string // the role that delegates to it; empty for targets, of which the root speaks
	Version   int64
	Expires   time.Time
	Add       []File
	Manifest  string // "lists/targets.jsonl": further files to add; empty where there are none
	Remove    []string
	// Delegations are all that the role is to have, in order; nil where they stay
	// as they are.
	Delegations *Delegations
	// Projects is "lists/claimed.projects.jsonl": projects to delegate to, beside
	// what the role delegates already; empty where there are none. Withdraw are
	// projects that it delegates to no more. Neither stands beside Delegations.
	Projects string
	Withdraw []string
	listed   []File           // what the manifest has
	claimed  []projects.Entry // and the list of projects
}

// File is one target.
type File = manifest.Entry

// Name is the role: "targets", or the delegated one.
func (t *TargetsPlan) Name() string {
	if t.Role == "" {
		return "targets"
	}
	return t.Role
}

// Payload is the file that is made of it.
func (t *TargetsPlan) Payload() folder.Version {
	return folder.Version{Role: t.Name(), Version: t.Version}
}

// Files are all targets that are new, or in the place of the same path: those
// in the plan, and those in its list, which LoadLists reads.
func (t *TargetsPlan) Files() []File { return slices.Concat(t.Add, t.listed) }

// Claimed are the projects of the role's list, in its order, which LoadLists
// reads.
func (t *TargetsPlan) Claimed() []projects.Entry { return t.claimed }

// Promotes reports whether the role goes on from its delegations, and changes
// those of some projects.
func (t *TargetsPlan) Promotes() bool { return t.Projects != "" || len(t.Withdraw) > 0 }

// section is where the plan speaks of the role.
func (p *Plan) section(role string) string {
	i := slices.IndexFunc(p.Delegated, func(t *TargetsPlan) bool { return t.Role == role })
	if i < 0 {
		return "targets"
	}
	return fmt.Sprintf("delegated[%d]", i)
}

// TargetsRoles are targets, where it is signed, and the delegated roles after it.
func (p *Plan) TargetsRoles() []*TargetsPlan {
	var all []*TargetsPlan
	if p.Targets != nil {
		all = append(all, p.Targets)
	}
	return append(all, p.Delegated...)
}

// TargetsRole finds targets or a delegated role, or gives nil where it is not
// signed.
func (p *Plan) TargetsRole(role string) *TargetsPlan {
	for _, t := range p.TargetsRoles() {
		if t.Name() == role {
			return t
		}
	}
	return nil
}

// OnlineRoles are the roles whose keys a machine holds.
var OnlineRoles = map[string]bool{"snapshot": true, "timestamp": true}
