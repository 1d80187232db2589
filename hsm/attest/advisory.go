package attest

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// advisory says whether one of Yubico's advisories on keys that a device made
// applies:
//
//   - YSA-2024-03: whoever has the device and laboratory equipment can read out
//     keys on elliptic curves. Firmware before 5.7.0.
//   - YSA-2017-01: RSA keys made on the device can be computed from the public
//     key. Firmware 4.2.6 to 4.3.4.
func advisory(key crypto.PublicKey, firmware string) Fact {
	_, isRSA := key.(*rsa.PublicKey)
	switch {
	case !isRSA && !atLeast(firmware, "5.7.0"):
		return Fact{Answer: Yes, Value: "YSA-2024-03"}
	case isRSA && atLeast(firmware, "4.2.6") && !atLeast(firmware, "4.3.5"):
		return Fact{Answer: Yes, Value: "YSA-2017-01"}
	case isRSA && !atLeast(firmware, "5.7.0"):
		return Fact{Answer: No, Why: "firmware " + firmware + " is affected by YSA-2024-03, which concerns elliptic curves: this is an RSA key"}
	default:
		return Fact{Answer: No, Why: "no advisory that this version knows applies to firmware " + firmware}
	}
}

// hsmAdvisory is advisory for a YubiHSM 2, whose firmware is numbered apart:
// YSA-2024-03 concerns it before 2.4.0, YSA-2017-01 does not.
func hsmAdvisory(key crypto.PublicKey, firmware string) Fact {
	_, isRSA := key.(*rsa.PublicKey)
	switch old := !atLeast(firmware, "2.4.0"); {
	case old && !isRSA:
		return Fact{Answer: Yes, Value: "YSA-2024-03"}
	case old:
		return Fact{Answer: No, Why: "firmware " + firmware + " is affected by YSA-2024-03, which concerns elliptic curves: this is an RSA key"}
	default:
		return Fact{Answer: No, Why: "no advisory that this version knows applies to firmware " + firmware + " of a YubiHSM 2"}
	}
}

func atLeast(have, want string) bool {
	below, err := FirmwareBelow(have, want)
	return err == nil && !below
}

// FirmwareBelow says whether a firmware version is lower than another. Both
// are written x.y.z: three numbers from 0 to 255, in decimal, without leading
// zeros. Anything else is an error.
func FirmwareBelow(have, want string) (bool, error) {
	a, err := parseFirmware(have)
	if err != nil {
		return false, err
	}
	b, err := parseFirmware(want)
	if err != nil {
		return false, err
	}
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i], nil
		}
	}
	return false, nil
}

func parseFirmware(s string) (version [3]byte, err error) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return version, fmt.Errorf("reading firmware version %q: %w", s, errFirmware)
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return version, fmt.Errorf("reading firmware version %q: %w", s, errFirmware)
		}
		version[i] = byte(n)
	}
	return version, nil
}

var errFirmware = errors.New("it must be three numbers such as 5.4.3")
