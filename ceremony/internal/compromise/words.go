package compromise

import (
	"fmt"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

var titles = map[string]string{
	"A": "keys below the threshold",
	"B": "a threshold of targets",
	"C": "a threshold of timestamp or snapshot",
	"D": "a threshold of root",
	"F": "too few keys of root are left",
}

// Title says what the case is.
func (a *Assessment) Title() string {
	if a.Case == "A" && len(a.Tokens()) == 0 {
		return "weak keys, still in their holders' hands"
	}
	return titles[a.Case]
}

// sentences are for somebody who has just been woken up: what the others can do
// now, what restores trust, and who is needed by when.
func (a *Assessment) sentences() [3]string {
	return [3]string{a.now(), a.restores(), a.needed()}
}

func (a *Assessment) now() string {
	root, targets := a.role("root"), a.role("targets")
	switch a.Case {
	case "D":
		return fmt.Sprintf("Whoever has these keys can do everything: %s in other hands, and %s enough to sign a next root that your clients follow, away from you.", a.of(root), enough(root.Threshold))
	case "F":
		return fmt.Sprintf("Nobody can sign a next root that your clients accept: %s left to sign, and %d must; %s.", left(root.Living), root.Threshold, a.loses(root))
	case "B":
		if a.Online() {
			return fmt.Sprintf("Whoever has these keys can make your clients install anything until root %d is out: targets and the online keys that show it to clients are both in other hands, and they can set versions so far ahead that clients refuse yours.", a.Root+1)
		}
		return fmt.Sprintf("Whoever has these keys can sign targets as well as you can (%s in other hands, %s enough), and clients see it as soon as an online key shows it to them.", a.of(targets), enough(targets.Threshold))
	case "C":
		return "Whoever has these keys can keep clients where they are, show new ones an old state, and set versions so far ahead that clients refuse yours for good; they cannot make clients install what targets has never listed."
	}
	if len(a.Tokens()) == 0 {
		return "Nobody is known to have a key; the keys found are weak, and whoever copies a threshold of them can sign as you do."
	}
	var parts []string
	for _, r := range a.Roles {
		if r.Compromised > 0 {
			parts = append(parts, fmt.Sprintf("%d of the %d keys that %s needs", r.Compromised, r.Threshold, r.Name))
		}
	}
	return "Nothing yet can be done with these keys alone: whoever has them has " + strings.Join(parts, " and ") + "."
}

// of counts the compromised keys of a role: "3 of 5 keys of root are".
func (a *Assessment) of(r Role) string {
	verb := "are"
	if r.Compromised == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of the %d keys of %s %s", r.Compromised, r.Keys, r.Name, verb)
}

func (a *Assessment) loses(r Role) string {
	if a.Expired {
		return "root " + fmt.Sprint(a.Root) + " has expired, so clients take nothing new at all"
	}
	if r.Compromised == 0 {
		return "clients go on until root " + fmt.Sprint(a.Root) + " expires on " + a.Expires
	}
	return fmt.Sprintf("those who have %d of them cannot either", r.Compromised)
}

func (a *Assessment) restores() string {
	next := fmt.Sprintf("root %d", a.Root+1)
	root := a.role("root")
	signed := fmt.Sprintf("signed by %d of the %s left in root", root.Threshold, plural(root.Living, "key"))
	switch a.Case {
	case "D", "F":
		return fmt.Sprintf("No %s restores trust, whoever signs it: what does is a new first root that users get in another way than from the repository, with a bulletin that says so.", next)
	case "B":
		online := "the online keys stay, unless somebody may have them too"
		if a.Online() {
			online = "both online keys are new as well, or versions from far ahead stay with clients"
		}
		return fmt.Sprintf("%s takes the keys out, %s, and targets is signed anew by the keys that it names; %s.", capital(next), signed, online)
	case "C":
		return fmt.Sprintf("%s with other public keys for timestamp and snapshot both, %s: clients then drop all that the old online keys have shown them.", capital(next), signed)
	}
	return fmt.Sprintf("%s takes the keys out of every role, %s; clients follow by themselves.", capital(next), signed)
}

func (a *Assessment) needed() string {
	if a.OutOfBand() {
		root := a.role("root")
		if root.Living == 0 {
			return "Needed, today: new holders or new devices for all of root, since nobody has a key left; and somebody who can reach all users by another way."
		}
		return fmt.Sprintf("Needed, today, to decide and to sign the new first root: %s; and somebody who can reach all users by another way.", a.people("root", root.Living, root.Living))
	}
	root := a.role("root")
	text := "Needed, " + a.deadline() + ": " + a.people("root", root.Threshold, root.Living)
	if root.Weak > 0 {
		text += "; under the new root " + a.staying(root)
	}
	if targets := a.role("targets"); a.SignsTargets() {
		text += "; for targets " + a.staying(targets)
	}
	var missing []string
	for _, name := range []string{"root", "targets"} {
		if n := a.role(name).Missing(); n > 0 {
			missing = append(missing, fmt.Sprintf("%s for %s", plural(n, "new token"), name))
		}
	}
	if len(missing) > 0 {
		text += "; and before that " + strings.Join(missing, " and ")
	}
	if a.Online() {
		text += "; and the publisher, with new online keys"
	}
	return text + "."
}

// staying says how many of those that stay in a role must sign: "2 of these 3:
// holder-1, holder-2, holder-4".
func (a *Assessment) staying(r Role) string {
	var who []string
	for _, t := range a.Living(r.Name) {
		if a.hit(t) == nil {
			who = append(who, tufmeta.Printable(t.Holder))
		}
	}
	switch {
	case len(who) == 0:
		return fmt.Sprintf("%d holders of new tokens", r.Threshold)
	case r.Threshold >= len(who):
		return "all of " + strings.Join(who, ", ")
	}
	return fmt.Sprintf("%d of %s", r.Threshold, strings.Join(who, ", "))
}

// people says who has to come: "3 of these 4: holder-1, YubiKey 5 serial 77; …".
func (a *Assessment) people(role string, need, there int) string {
	var who []string
	for _, t := range a.Living(role) {
		who = append(who, Bring(t))
	}
	switch {
	case there == 0:
		return "nobody has a key left"
	case need >= there:
		return fmt.Sprintf("all of these: %s", strings.Join(who, "; "))
	}
	return fmt.Sprintf("%d of these %d: %s", need, there, strings.Join(who, "; "))
}

// Bring names a holder with the device to bring.
func Bring(t *roster.Token) string {
	if t.Device() == "" {
		return t.Describe() + " (device unknown)"
	}
	return t.Describe()
}

func (a *Assessment) deadline() string {
	switch {
	case a.Expired:
		return fmt.Sprintf("today, since root %d expired on %s and clients take nothing new", a.Root, a.Expires)
	case a.Case == "A" && len(a.Tokens()) == 0:
		return fmt.Sprintf("before root %d expires on %s, and better soon", a.Root, a.Expires)
	case a.Case == "A":
		return fmt.Sprintf("before another key goes, and before root %d expires on %s", a.Root, a.Expires)
	}
	return "today"
}

// warn says what is tight, and what cannot be judged.
func (a *Assessment) warn(selectors []Selector) {
	for _, name := range []string{"root", "targets"} {
		a.margin(a.role(name))
	}
	root := a.role("root")
	if both := root.Compromised + root.Weak; !root.Fallen() && both >= root.Threshold && root.Weak > 0 {
		a.say("%d keys of root are weak or in other hands, and %d are enough: if weak ones may have been copied, name their holders or devices instead, and it is case D", both, root.Threshold)
	}
	if a.Expired && !a.OutOfBand() {
		a.say("root %d expired on %s: its threshold can still sign root %d, and clients accept it (case E)", a.Root, a.Expires, a.Root+1)
	}
	if a.Case == "B" && !a.Online() {
		a.say("nothing here says that the online keys are safe: if that is not certain, add role:timestamp and role:snapshot")
	}
	if a.SignsTargets() && a.known.Targets == nil && !a.OutOfBand() {
		a.say("the keys of targets change: get the newest published targets, and name it with --trusted-targets")
	}
	if a.OutOfBand() && a.known.Targets == nil {
		a.say("the new repository lists no target yet: name the newest published targets with --trusted-targets, and compare what it lists with the last good state")
	}
	a.below()
	a.neighbours()
	a.ends(selectors)
	for _, s := range selectors {
		if s.kind == "firmware" {
			a.unjudged(s)
		}
	}
}

// below names keys that were found and that delegations list, where the old ones
// go on: a root cannot take them out there.
func (a *Assessment) below() {
	if a.OutOfBand() {
		return
	}
	for _, h := range a.Hits {
		if len(h.Below.Roles) > 0 {
			a.say("%s signs %s too, delegated by %s, and no root changes that: --delegations writes what targets delegates into the plan, without the key, and draft refuses where a delegation goes on naming it", h.Token.Describe(), printable(h.Below.Roles), printable(h.Below.By))
		}
	}
}

// neighbours names keys that nobody has selected, in devices that hold one that
// is in other hands: with the device both are gone.
func (a *Assessment) neighbours() {
	for _, l := range a.keys() {
		serial := l.token.DeviceSerial()
		hit := a.hit(l.token)
		if serial == "" || hit != nil && !hit.Weak {
			continue
		}
		i := slices.IndexFunc(a.Hits, func(h Hit) bool { return !h.Weak && sameSerial(h.Token.DeviceSerial(), serial) })
		if i >= 0 {
			a.say("the device of %s holds %s as well: if the device is gone, name device:%s", a.Hits[i].Token.Name, l.token.Name, tufmeta.Printable(serial))
		}
	}
}

func (a *Assessment) say(format string, args ...any) {
	a.Warnings = append(a.Warnings, fmt.Sprintf(format, args...))
}

func (a *Assessment) margin(r Role) {
	next := fmt.Sprintf("afterwards %s has %s and %d must sign", r.Name, plural(r.Kept, "key"), r.Threshold)
	switch left := r.Kept - r.Threshold; {
	case a.OutOfBand():
		if r.Kept < r.Threshold {
			a.say("of %d keys of %s %d are left: decide its threshold anew, and list new tokens", r.Keys, r.Name, r.Kept)
		}
	case a.resting(r):
		a.say("%s is not signed now, and its one-time keys, %s, stay listed: what they have signed is to verify. When %s has to be signed, it needs new ones", r.Name, a.howEnded(r), r.Name)
	case r.Keys == 0 || r.Kept == r.Keys && left > 1:
	case left < 0:
		a.say("%s: draft refuses until %s listed", next, are(-left, "new token"))
	case left == 0 && r.Name == "root":
		a.say("%s: if one more is lost, no root can be made any more (case F); list a new token now", next)
	case left == 0:
		a.say("%s: if one more is lost, nobody can sign %s; list a new token now", next, r.Name)
	case left == 1:
		a.say("%s: one more may be lost; plan a rotation with new tokens soon", next)
	}
}

// howEnded is careful with what somebody has only said.
func (a *Assessment) howEnded(r Role) string {
	for _, f := range inspect.Fingerprints(a.known.Root, r.Name) {
		if t, ok := a.known.Roster.ByFingerprint(f); ok && a.ended(t) && !a.known.Destroyed[t.Name].Proved {
			return "which are said to be destroyed"
		}
	}
	return "which were destroyed, as is proved"
}

// ends says of one-time keys that they are not lost but destroyed, as far as there
// is evidence, and what that changes.
func (a *Assessment) ends(selectors []Selector) {
	for _, l := range a.keys() {
		d, ok := a.known.Destroyed[l.token.Name]
		if !ok {
			continue
		}
		left := slices.ContainsFunc(selectors, func(s Selector) bool { return a.selects(s, l) && a.gone(s, l.token) })
		switch {
		case a.hit(l.token) != nil:
			a.say("the one-time key of %s was %s. It counts as one in other hands all the same, since it may have been copied or used before", l.token.Describe(), d.Words)
		case left:
			a.say("the one-time key of %s was %s. Whoever has the device now does not have the key, so it does not count; if somebody had the device before that day, name key:%s", l.token.Describe(), d.Words, l.token.Key.Fingerprint())
		default:
			a.say("the one-time key of %s cannot sign: it was %s", l.token.Describe(), d.Words)
		}
	}
}

// unjudged names the devices of which a range says nothing, so that nobody
// takes them for good ones.
func (a *Assessment) unjudged(s Selector) {
	for _, l := range a.keys() {
		t := l.token
		if hit := a.hit(t); t.Holder == "" || hit != nil {
			continue
		}
		switch f := a.known.Firmware[t.Name]; {
		case f.Version == "":
			why := ""
			if f.Why != "" {
				why = " (" + f.Why + ")"
			}
			a.say("unknown: the firmware of %s is not attested%s, so %s cannot judge it", t.Describe(), why, s.Typed)
		case f.Device != s.span.device:
			a.say("%s is not judged by %s: %ss and %ss are numbered apart, and its firmware is %s", t.Describe(), s.Typed, names[YubiKey], names[YubiHSM2], tufmeta.Printable(f.Version))
		}
	}
}

var names = map[string]string{YubiKey: "YubiKey", YubiHSM2: "YubiHSM 2"}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// are says "1 key is", "2 keys are".
func are(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return fmt.Sprintf("%d %ss are", n, what)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// enough says "1 is", "3 are".
func enough(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}

// left says how many keys of root there are: "2 keys of root are".
func left(n int) string {
	if n == 1 {
		return "1 key of root is"
	}
	return fmt.Sprintf("%d keys of root are", n)
}
