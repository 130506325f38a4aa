// Command proofcheck verifies a .tlog-proof file of served time with Go's own sumdb packages: the signed checkpoint, the
// inclusion of the proof's own entry and of every entry in its extra data, and the digest of every payload.
//
//	proofcheck -log VKEY FILE
//
// It prints one JSON object and exits 0, or prints {"error": ...} and exits 1. The statement is not its business.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type item struct {
	Role    string          `json:"role"`
	Index   int64           `json:"index"`
	Entry   json.RawMessage `json:"entry"` // canonical JSON: these bytes are the leaf
	Salt    []byte          `json:"salt"`
	Payload json.RawMessage `json:"payload"` // and these are what its digest is of
	Path    [][]byte        `json:"path"`
}

type proof struct {
	extra      []byte
	index      int64
	path       tlog.RecordProof
	checkpoint []byte
}

type report struct {
	Origin  string   `json:"origin"`
	Size    int64    `json:"size"`
	Index   int64    `json:"index"`
	Entries []string `json:"entries"`
}

func main() {
	vkey := flag.String("log", "", "verifier key of the log")
	flag.Parse()
	if flag.NArg() != 1 || *vkey == "" {
		flag.Usage()
		os.Exit(2)
	}
	data, err := os.ReadFile(flag.Arg(0))
	var found *report
	if err == nil {
		found, err = check(data, *vkey)
	}
	if err != nil {
		json.NewEncoder(os.Stdout).Encode(map[string]string{"error": err.Error()})
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

func check(data []byte, vkey string) (*report, error) {
	p, err := parse(data)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	opened, err := note.Open(p.checkpoint, note.VerifierList(verifier))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return nil, errors.New("the checkpoint is too short")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return nil, err
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return nil, err
	}
	var extra struct {
		Entries []item `json:"entries"`
	}
	if err := json.Unmarshal(p.extra, &extra); err != nil {
		return nil, err
	}
	found := &report{Origin: lines[0], Size: size, Index: p.index}
	for _, each := range extra.Entries {
		path := p.path
		if each.Index != p.index {
			if path, err = recordProof(each.Path); err != nil {
				return nil, err
			}
		}
		if err := tlog.CheckRecord(path, size, root, each.Index, tlog.RecordHash(each.Entry)); err != nil {
			return nil, fmt.Errorf("%s (entry %d): %w", each.Role, each.Index, err)
		}
		if err := checkPayload(each); err != nil {
			return nil, fmt.Errorf("%s (entry %d): %w", each.Role, each.Index, err)
		}
		found.Entries = append(found.Entries, each.Role)
	}
	if len(found.Entries) == 0 || extra.Entries[0].Index != p.index {
		return nil, errors.New("the proof's own entry is not the first of its extra data")
	}
	return found, nil
}

func checkPayload(each item) error {
	var envelope struct {
		Digest []byte `json:"digest"`
	}
	if err := json.Unmarshal(each.Entry, &envelope); err != nil {
		return err
	}
	if string(each.Payload) == "null" {
		return nil
	}
	digest := sha256.Sum256(append(append([]byte{}, each.Salt...), each.Payload...))
	if !bytes.Equal(digest[:], envelope.Digest) {
		return errors.New("the payload has another digest")
	}
	return nil
}

func parse(data []byte) (*proof, error) {
	head, checkpoint, ok := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return nil, errors.New("not a tlog-proof")
	}
	encoded, number := strings.TrimPrefix(lines[1], "extra "), strings.TrimPrefix(lines[2], "index ")
	if encoded == lines[1] || number == lines[2] {
		return nil, errors.New("no extra data or no index")
	}
	extra, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil, err
	}
	p := &proof{extra: extra, index: index, checkpoint: []byte(checkpoint)}
	for _, line := range lines[3:] {
		hash, err := parseHash(line)
		if err != nil {
			return nil, err
		}
		p.path = append(p.path, hash)
	}
	return p, nil
}

func recordProof(path [][]byte) (tlog.RecordProof, error) {
	var hashes tlog.RecordProof
	for _, node := range path {
		if len(node) != tlog.HashSize {
			return nil, errors.New("a hash has 32 bytes")
		}
		hashes = append(hashes, tlog.Hash(*(*[tlog.HashSize]byte)(node)))
	}
	return hashes, nil
}

func parseHash(line string) (tlog.Hash, error) {
	data, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil || len(data) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("not a hash: %q", line)
	}
	return tlog.Hash(*(*[tlog.HashSize]byte)(data)), nil
}
