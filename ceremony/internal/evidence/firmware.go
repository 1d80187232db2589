package evidence

import (
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/attest"
)

// Firmware is what a device has attested of its firmware. Version is empty
// where it has not, and Why says so.
type Firmware struct{ Device, Serial, Version, Why string }

// Firmwares reads the attested firmware of all holders' tokens, by token,
// whatever the plan asks of devices: which of them fall under an advisory is a
// question for a day on which no policy was written yet. Root is the one that
// lists their keys.
func Firmwares(p *plan.Plan, files folder.Files, root *tufmeta.Root) map[string]Firmware {
	asked := *p
	asked.Policy = &plan.Policy{Attestation: plan.Recorded}
	if p.Policy != nil {
		asked.Policy.Roots = p.Policy.Roots
	}
	devices, results := Judge(&asked, files, root)
	why := map[string]string{}
	for _, r := range results {
		if why[r.Subject] == "" {
			why[r.Subject] = r.Check
		}
	}
	known := map[string]Firmware{}
	for _, d := range devices {
		f := Firmware{Device: string(d.Facts.Device), Serial: d.Facts.Serial.Value}
		switch {
		case d.State == Attested && d.Facts.Firmware.Answer == attest.Yes:
			f.Version = d.Facts.Firmware.Value
		case d.State == Attested:
			f.Why = d.Facts.Firmware.Why
		case d.State == Unattested:
			f.Why = "no evidence is there"
		case d.State == Refused:
			f.Why = "its evidence is refused, " + why[d.Token.Name]
		default:
			f.Why = "its evidence was not read, " + why["policy"]
		}
		known[d.Token.Name] = f
	}
	return known
}
