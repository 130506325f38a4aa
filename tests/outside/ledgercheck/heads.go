package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type head struct {
	tlog.Tree
	origin string
	times  map[string]uint64
}

// cosigner is a note.Verifier for cosignature/v1 (type 0x04): a time, then an Ed25519 signature of time and text.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
	time uint64
}

func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed verifier key")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 33 || data[0] != 4 {
		return nil, errors.New("not a key of type 0x04")
	}
	sum := sha256.Sum256([]byte(parts[0] + "\n" + string(data)))
	if hex.EncodeToString(sum[:4]) != parts[1] {
		return nil, errors.New("key id does not belong to the key")
	}
	return &cosigner{name: parts[0], hash: binary.BigEndian.Uint32(sum[:4]), key: data[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, text)
	if !ed25519.Verify(c.key, []byte(signed), signature[8:]) {
		return false
	}
	c.time = seconds
	return true
}

// openHead reads a checkpoint that must be signed by the log and by every witness.
func openHead(file, vkey string, witnesses []string) (*head, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	log, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	known := []note.Verifier{log}
	var cosigners []*cosigner
	for _, text := range witnesses {
		witness, err := newCosigner(text)
		if err != nil {
			return nil, fmt.Errorf("witness %s: %w", text, err)
		}
		cosigners = append(cosigners, witness)
		known = append(known, witness)
	}
	opened, err := note.Open(data, note.VerifierList(known...))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	signed := map[string]bool{}
	for _, signature := range opened.Sigs {
		signed[fmt.Sprintf("%s+%08x", signature.Name, signature.Hash)] = true
	}
	carries := func(key note.Verifier) bool { return signed[fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash())] }
	found, err := parseHead(opened.Text)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if !carries(log) || found.origin != log.Name() {
		return nil, fmt.Errorf("checkpoint of %s is not signed by its log", found.origin)
	}
	for _, witness := range cosigners {
		if !carries(witness) {
			return nil, fmt.Errorf("checkpoint is not cosigned by %s", witness.name)
		}
		found.times[witness.name] = witness.time
	}
	return found, nil
}

func parseHead(text string) (*head, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return nil, errors.New("fewer than three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return nil, fmt.Errorf("malformed size %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, err
	}
	return &head{tlog.Tree{N: size, Hash: root}, lines[0], map[string]uint64{}}, nil
}

// oldTree takes SIZE:ROOT or the file of an older signed checkpoint.
func oldTree(text, vkey string) (tlog.Tree, error) {
	if size, root, ok := strings.Cut(text, ":"); ok && strings.Trim(size, "0123456789") == "" {
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			return tlog.Tree{}, err
		}
		hash, err := tlog.ParseHash(root)
		return tlog.Tree{N: n, Hash: hash}, err
	}
	old, err := openHead(text, vkey, nil)
	if err != nil {
		return tlog.Tree{}, err
	}
	return old.Tree, nil
}
