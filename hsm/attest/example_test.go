package attest_test

import (
	"fmt"
	"os"
	"time"

	"tufceremony/hsm/attest"
)

// A holder hands in what their device said of the key in slot 9c. The device
// here is a virtual card, whose evidence is believed in rehearsals only.
func Example() {
	text, err := os.ReadFile("testdata/rehearsal-9c.pem")
	if err != nil {
		fmt.Println(err)
		return
	}
	evidence, err := attest.ParseEvidence(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	opens := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

	_, err = attest.Verify(evidence, attest.Yubico(), opens)
	fmt.Println(err)

	facts, err := attest.Verify(evidence, attest.Rehearsal(), opens)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("firmware", facts.Firmware.Value, "touch", facts.TouchPolicy.Value, "rehearsal", facts.Rehearsal)
	fmt.Println(facts.WantSlot("9c"))
	fmt.Println(facts.WantSerial("13078779"))

	planned := evidence.Intermediates[0].PublicKey // of the roster, or of the metadata
	fmt.Println(facts.Bind(planned))

	// Output:
	// verifying attestation: no chain to a trusted root: evidence of a rehearsal: it leads to "Ceremony Rehearsal PIV Root - NOT YUBICO", and a virtual card protects nothing
	// firmware 5.7.1 touch always rehearsal true
	// <nil>
	// another device: serial number "13078779" is wanted, and the attestation says "13078778"
	// comparing the attested key: the attestation is not of this key: key 1 of 1 is another one
}
