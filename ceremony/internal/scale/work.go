package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// report is what a process that works prints.
type report struct {
	Seconds []float64 `json:"seconds"` // of each run
	Peak    int64     `json:"peak"`    // bytes, after the first run; 0 where the system does not tell
}

// work is what is measured within a process of this program, by tool and work.
var work = map[string]map[string]func(dir string) error{
	limit:  {"sha256": hashAlone, "signature": signAlone, "signatures": verifyAlone},
	engine: {"draft": engineDraft, "review": engineReview, "sign": engineSign, "seal": engineSeal, "verify": engineVerify},
	goTUF:  {"parse": goParse, "draft": goDraft, "review": goReview, "sign": goSign, "verify": goVerify},
}

// doWork does some work on the files in a folder, again and again for as many
// seconds as again says, and says what it took.
func doWork(tool, name, dir, again string, out io.Writer) error {
	budget, err := strconv.ParseFloat(again, 64)
	if err != nil {
		return err
	}
	do, ok := work[tool][name]
	if !ok {
		return fmt.Errorf("measuring: there is no work %s/%s", tool, name)
	}
	var r report
	for total := 0.0; r.Seconds == nil || total < budget; {
		runtime.GC() // what the run before has left is not this one's
		start := time.Now()
		if err := do(dir); err != nil {
			return fmt.Errorf("measuring %s/%s: %w", tool, name, err)
		}
		took := time.Since(start).Seconds()
		if r.Seconds == nil {
			r.Peak = peakHere()
		}
		r.Seconds, total = append(r.Seconds, took), total+took
	}
	return json.NewEncoder(out).Encode(r)
}

func with(dir, name string, do func(*os.File) error) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	return do(f)
}

// hashAlone is the limit: nothing that is signed can be read faster.
func hashAlone(dir string) error {
	return with(dir, payloadFile, func(f *os.File) error {
		_, err := io.CopyBuffer(sha256.New(), struct{ io.Reader }{f}, make([]byte, 256<<10))
		return err
	})
}

// signAlone is one signature.
func signAlone(string) error {
	_, err := signOne(make([]byte, sha256.Size))
	return err
}

// verifyAlone is what all signatures of a file take.
func verifyAlone(dir string) error { return verifyDigest(make([]byte, sha256.Size), aloneSigned) }

// private are the holders' keys, and aloneSigned signatures for verifyAlone:
// made before anything is measured.
var (
	private     = keysOfHolders()
	aloneSigned = func() map[string][]byte {
		made := map[string][]byte{}
		for i, key := range private {
			made[holder(i)], _ = key.Sign(nil, make([]byte, sha256.Size), crypto.SHA256)
		}
		return made
	}()
)

func signOne(digest []byte) ([]byte, error) { return private[0].Sign(nil, digest, crypto.SHA256) }

// verifyDigest wants the signatures of all holders, by their names.
func verifyDigest(digest []byte, signatures map[string][]byte) error {
	good := 0
	for i, key := range private {
		if ecdsa.VerifyASN1(&key.PublicKey, digest, signatures[holder(i)]) {
			good++
		}
	}
	if good != holders {
		return fmt.Errorf("%d of %d signatures are good", good, holders)
	}
	return nil
}

func digestOf(text string) []byte {
	digest, _ := hex.DecodeString(text)
	return digest
}
