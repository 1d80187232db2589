package plan_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/plan"
)

// asking is a genesis of YubiKeys with everything that a policy can say.
func asking() *plan.Plan {
	p := ceremonytest.GenesisPlan()
	p.Policy = &plan.Policy{Attestation: plan.Required, Roots: "keys/makers.pem", Firmware: "5.7.0", PIN: "always", Touch: "cached",
		FormFactors: []string{"usb-a-keychain", "usb-c-nano"}, FIPS: true, ManagementKey: plan.PINProtected}
	first := p.Roster.Holders[0].Tokens[0]
	first.URI, first.EvidenceFile = "piv:serial=1001;slot=9c", "keys/holder-1.attestation.pem"
	return p
}

func TestPolicyRoundTrip(t *testing.T) {
	roundTrip(t, asking())
	for _, p := range []*plan.Policy{
		{Attestation: plan.Off}, {Attestation: plan.Recorded, PIN: "once", Touch: "always"}, {Attestation: plan.Required, ManagementKey: plan.Printed, FormFactors: []string{"usb-c-bio"}},
	} {
		whole := ceremonytest.RotationPlan()
		whole.Policy = p
		roundTrip(t, whole)
	}
}

func TestPolicyRefuses(t *testing.T) {
	good := string(asking().Text())
	policy := good[strings.Index(good, "policy:"):strings.Index(good, "\nroot:")]
	const evidence = "attestation: keys/holder-1.attestation.pem"
	for _, row := range []struct {
		name, old, new string
		at             string
		field, problem string
	}{
		{"a YubiKey without a policy", policy, "", "", "policy", "is missing, and token holder-1 is on a YubiKey"},
		{"an empty policy", policy, "policy:\n", "policy:", "policy", "is empty"},
		{"a policy without a word on evidence", policy, "policy:\n  touch: always\n", "policy:", "policy.attestation", `is ""`},
		{"a field that is not known", "  touch: cached", "  touch: cached\n  finger: left", "finger", "policy.finger", `unknown field "finger"`},
		{"another word", "attestation: required", "attestation: optional", "attestation: optional", "policy.attestation", `is "optional"`},
		{"true for a word", "attestation: required", "attestation: true", "attestation: true", "policy.attestation", `is "true"`},
		{"firmware as a fraction", `firmware: "5.7.0"`, "firmware: 5.7", "firmware:", "policy.firmware", "is 5.7, and a plan has whole numbers only"},
		{"firmware of two numbers", `firmware: "5.7.0"`, `firmware: "5.7"`, "firmware:", "policy.firmware", `is "5.7"`},
		{"firmware that no device has", `firmware: "5.7.0"`, `firmware: "5.7.256"`, "firmware:", "policy.firmware", `is "5.7.256"`},
		{"firmware with zeros in front", `firmware: "5.7.0"`, `firmware: "5.07.0"`, "firmware:", "policy.firmware", `is "5.07.0"`},
		{"firmware left open", `firmware: "5.7.0"`, "firmware:", "firmware:", "policy.firmware", `is ""`},
		{"no PIN", "pin: always", "pin: never", "pin:", "policy.pin", `is "never"`},
		{"a PIN of a fingerprint", "pin: always", "pin: match-always", "pin:", "policy.pin", `is "match-always"`},
		{"a PIN left open", "pin: always", "pin:", "pin:", "policy.pin", `is ""`},
		{"no touch", "touch: cached", "touch: never", "touch:", "policy.touch", `is "never"`},
		{"a touch left open", "touch: cached", `touch: ""`, "touch:", "policy.touch", `is ""`},
		{"a shape that no device has", "[usb-a-keychain, usb-c-nano]", "[usb-a-keychain, usb-b]", "usb-b", "policy.form-factors[1]", `is "usb-b"`},
		{"a shape twice", "[usb-a-keychain, usb-c-nano]", "[usb-c-nano, usb-c-nano]", "usb-c-nano", "policy.form-factors[1]", "which stands twice"},
		{"no shapes", "[usb-a-keychain, usb-c-nano]", "[]", "form-factors:", "policy.form-factors", "is empty"},
		{"shapes left open", "[usb-a-keychain, usb-c-nano]", "", "form-factors:", "policy.form-factors", "is empty"},
		{"FIPS denied", "fips: true", "fips: false", "fips:", "policy.fips", "is not true"},
		{"FIPS left open", "fips: true", "fips:", "fips:", "policy.fips", "is not true"},
		{"a management key elsewhere", "management-key: pin-protected", "management-key: none", "management-key:", "policy.management-key", `is "none"`},
		{"roots outside keys/", "roots: keys/makers.pem", "roots: ../makers.pem", "roots:", "policy.roots", `is "../makers.pem"`},
		{"roots that are a key", "roots: keys/makers.pem", "roots: keys/holder-3.pem", "roots:", "policy.roots", "is the public key of token holder-3"},
		{"evidence outside keys/", evidence, "attestation: holder-1.pem", "attestation: holder-1.pem", "holders[0].tokens[0].attestation", `is "holder-1.pem"`},
		{"evidence that is a key", evidence, "attestation: keys/holder-2.pem", "attestation: keys/holder-2.pem", "holders[0].tokens[0].attestation", "is the public key of token holder-2"},
		{"evidence that is the roots", evidence, "attestation: keys/makers.pem", "attestation: keys/makers.pem", "holders[0].tokens[0].attestation", "which policy.roots names"},
		{"evidence of two tokens", "key: keys/holder-2.pem", "key: keys/holder-2.pem\n        " + evidence, "", "holders[1].tokens[0].attestation", "which token holder-1 names"},
		{"another serial than the uri's", `serial: "1001"`, `serial: "1002"`, `serial: "1002"`, "holders[0].tokens[0].serial", `is "1002", and the uri has serial "1001"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !strings.Contains(good, row.old) {
				t.Fatalf("the plan has no %q", row.old)
			}
			text := strings.Replace(good, row.old, row.new, 1)
			wantFault(t, text, row.at, row.field, row.problem)
			if d, err := plan.ParseDevices([]byte(text)); err == nil || d != nil {
				t.Errorf("ParseDevices: %+v, %v", d, err)
			}
		})
	}
	// Evidence is for a policy to judge, wherever the key is.
	noPolicy := strings.Replace(strings.Replace(good, policy, "", 1), "piv:serial=1001;slot=9c", "pkcs11:token=a", 1)
	wantFault(t, noPolicy, "", "policy", "is missing, and token holder-1 names what its device attests")
}

// What init proposes is in comments: without the marks it is a policy, and with
// them it decides nothing.
func TestProposal(t *testing.T) {
	text := string(ceremonytest.GenesisPlan().Text())
	p, err := plan.Parse([]byte(text))
	if err != nil || p.Policy != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	from := strings.Index(text, "# policy:")
	to := from + strings.Index(text[from:], "\n\n")
	section := text[from:to]
	for _, field := range []string{"attestation", "roots", "firmware", "pin", "touch", "form-factors", "fips", "management-key"} {
		if !strings.Contains(section, "#   "+field+": ") {
			t.Errorf("the proposal says nothing of %s", field)
		}
	}
	p, err = plan.Parse([]byte(text[:from] + strings.ReplaceAll("\n"+section, "\n# ", "\n") + text[to:]))
	if err != nil || p.Policy == nil {
		t.Fatalf("without its marks: %v", err)
	}
	v := reflect.ValueOf(*p.Policy)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the proposal has no %s", v.Type().Field(i).Name)
		}
	}
}

// Devices are provisioned while thresholds are still open: what the plan says
// of devices can be read from such a plan, and nothing else is believed of it.
func TestParseDevices(t *testing.T) {
	p := &plan.Plan{Kind: plan.Genesis, Rehearsal: true, Policy: &plan.Policy{Attestation: plan.Required, ManagementKey: plan.Printed}}
	plan.FillGenesis(p, time.Date(2028, 1, 10, 0, 0, 0, 0, time.UTC))
	if _, err := plan.Parse(p.Text()); err == nil {
		t.Fatal("the plan is not unfinished")
	}
	d, err := plan.ParseDevices(p.Text())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d.Policy, p.Policy) || !reflect.DeepEqual(d.Roster, p.Roster) || !d.Rehearsal {
		t.Errorf("read %+v", d)
	}
	whole := asking()
	if d, err = plan.ParseDevices(whole.Text()); err != nil || !reflect.DeepEqual(d.Policy, whole.Policy) || !reflect.DeepEqual(d.Roster, whole.Roster) || d.Rehearsal {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestParseDevicesRefuses(t *testing.T) {
	good := string(asking().Text())
	for _, row := range []struct{ name, old, new, want string }{
		{"a field that is not known", "kind: genesis", "kind: genesis\nkid: x", `unknown field "kid"`},
		{"another format", "ceremony-plan-1", "ceremony-plan-2", `is "ceremony-plan-2"`},
		{"an anchor", "kind: genesis", "kind: &a genesis", "an anchor"},
		{"a software token", "pkcs11:token=holder-2", "soft:holder-2", "which only a rehearsal may use"},
		{"a token's name twice", "- name: holder-2\n", "- name: holder-1\n", "which another token has"},
		{"a policy that nobody wrote", "touch: cached", "touch: maybe", `is "maybe"`},
	} {
		text := strings.Replace(good, row.old, row.new, 1)
		if text == good {
			t.Fatalf("the plan has no %q", row.old)
		}
		d, err := plan.ParseDevices([]byte(text))
		var e *plan.Error
		if !errors.As(err, &e) || d != nil || !strings.Contains(e.Problem, row.want) || e.Hint() == "" {
			t.Errorf("%s: %+v, %v", row.name, d, err)
		}
	}
}
