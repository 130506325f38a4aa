// Command ledgercheck verifies a tiled log in a folder with Go's own sumdb packages, so that nothing of Timeball's code
// judges Timeball's logs.
//
//	ledgercheck -log VKEY [-checkpoint FILE] [-witness VKEY]... [-entry N]... [-old FILE|SIZE:ROOT]... [-all] FOLDER
//
// It prints one JSON object and exits 0, or prints {"error": ...} and exits 1. Each -witness must have cosigned the
// checkpoint. -all reads every entry bundle and every tile, in one thread, and says how long that took.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

type report struct {
	Origin     string            `json:"origin"`
	Size       int64             `json:"size"`
	Root       string            `json:"root"`
	Cosigned   map[string]uint64 `json:"cosigned"`
	Included   []int64           `json:"included"`
	Consistent []int64           `json:"consistent"`
	Verified   int64             `json:"verified"`
	Seconds    float64           `json:"seconds"`
}

func main() {
	var witnesses, entries, olds list
	vkey := flag.String("log", "", "verifier key of the log")
	file := flag.String("checkpoint", "", "file of the checkpoint (FOLDER/checkpoint)")
	all := flag.Bool("all", false, "verify the whole log")
	flag.Var(&witnesses, "witness", "verifier key (type 0x04) of a witness that must have cosigned")
	flag.Var(&entries, "entry", "prove that this entry is included")
	flag.Var(&olds, "old", "prove that this older head is extended: its signed file, or SIZE:ROOT")
	flag.Parse()
	if flag.NArg() != 1 || *vkey == "" {
		flag.Usage()
		os.Exit(2)
	}
	folder := flag.Arg(0)
	if *file == "" {
		*file = filepath.Join(folder, "checkpoint")
	}
	found, err := check(folder, *file, *vkey, witnesses, entries, olds, *all)
	if err != nil {
		json.NewEncoder(os.Stdout).Encode(map[string]string{"error": err.Error()})
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

func check(folder, file, vkey string, witnesses, entries, olds []string, all bool) (*report, error) {
	log, err := openHead(file, vkey, witnesses)
	if err != nil {
		return nil, err
	}
	found := &report{Origin: log.origin, Size: log.N, Root: log.Hash.String(), Cosigned: log.times}
	tiles := &folderReader{folder: folder}
	for _, text := range entries {
		index, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		if err := checkEntry(log.Tree, tiles, index); err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		found.Included = append(found.Included, index)
	}
	for _, text := range olds {
		old, err := oldTree(text, vkey)
		if err != nil {
			return nil, fmt.Errorf("old head %s: %w", text, err)
		}
		if err := checkOld(log.Tree, tiles, old); err != nil {
			return nil, fmt.Errorf("old head of %d entries: %w", old.N, err)
		}
		found.Consistent = append(found.Consistent, old.N)
	}
	if all {
		began := time.Now()
		if err := checkAll(log.Tree, tiles); err != nil {
			return nil, err
		}
		found.Verified = log.N
		found.Seconds = time.Since(began).Seconds()
	}
	return found, nil
}
