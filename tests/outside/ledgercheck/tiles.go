package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

// folderReader gives the tiles of a C2SP log in a folder to Go's tlog package, whose own paths have one part more.
type folderReader struct{ folder string }

func (r *folderReader) Height() int { return 8 }

func (r *folderReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := r.read(fmt.Sprint(tile.L), tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("tile/%d/%d is too short", tile.L, tile.N)
		}
		found[i] = data[:tile.W*tlog.HashSize]
	}
	return found, nil
}

func (r *folderReader) SaveTiles([]tlog.Tile, [][]byte) {}

// read gives a tile or bundle of at least w items: the partial one, or the complete one that replaced it.
func (r *folderReader) read(kind string, n int64, w int) ([]byte, error) {
	name := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	path := filepath.Join(r.folder, "tile", kind, filepath.FromSlash(name))
	if w < width {
		data, err := os.ReadFile(fmt.Sprintf("%s.p/%d", path, w))
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return os.ReadFile(path)
}

// entries cuts w entries out of a bundle; exact says that nothing may follow them.
func entries(data []byte, w int, exact bool) ([][]byte, error) {
	found := make([][]byte, 0, w)
	for len(found) < w {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("bundle ends in its entry %d", len(found))
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		found = append(found, data[2:end])
		data = data[end:]
	}
	if exact && len(data) > 0 {
		return nil, fmt.Errorf("%d bytes after the last entry of a bundle", len(data))
	}
	return found, nil
}

func bundleWidth(size, n int64) int {
	if left := size - n*width; left < width {
		return int(left)
	}
	return width
}

func checkEntry(tree tlog.Tree, r *folderReader, index int64) error {
	if index < 0 || index >= tree.N {
		return fmt.Errorf("not in a tree of %d", tree.N)
	}
	w := bundleWidth(tree.N, index/width)
	data, err := r.read("entries", index/width, w)
	if err != nil {
		return err
	}
	bundle, err := entries(data, w, false)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(tree.N, index, tlog.TileHashReader(tree, r))
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(bundle[index%width]))
}

func checkOld(tree tlog.Tree, r *folderReader, old tlog.Tree) error {
	if old.N > tree.N {
		return fmt.Errorf("the log was rolled back to %d", tree.N)
	}
	proof, err := tlog.ProveTree(tree.N, old.N, tlog.TileHashReader(tree, r))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

// checkAll hashes every entry, compares every tile of every level, and the root. Its memory does not grow with the log.
func checkAll(tree tlog.Tree, r *folderReader) error {
	edge := &edge{reader: r}
	for n := int64(0); n*width < tree.N; n++ {
		w := bundleWidth(tree.N, n)
		data, err := r.read("entries", n, w)
		if err != nil {
			return err
		}
		bundle, err := entries(data, w, w == width)
		if err != nil {
			return fmt.Errorf("tile/entries/%d: %w", n, err)
		}
		for _, entry := range bundle {
			if err := edge.add(0, tlog.RecordHash(entry)); err != nil {
				return err
			}
		}
	}
	root, err := edge.finish()
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return errors.New("ROOT MISMATCH: the entries do not lead to the root of the checkpoint")
	}
	return nil
}

// edge holds the last, incomplete tile of each level.
type edge struct {
	reader *folderReader
	rows   [][]tlog.Hash
	done   []int64
}

func (e *edge) add(level int, hash tlog.Hash) error {
	if level == len(e.rows) {
		e.rows = append(e.rows, make([]tlog.Hash, 0, width))
		e.done = append(e.done, 0)
	}
	e.rows[level] = append(e.rows[level], hash)
	if len(e.rows[level]) < width {
		return nil
	}
	if err := e.compare(level); err != nil {
		return err
	}
	e.done[level]++
	row := e.rows[level]
	e.rows[level] = row[:0]
	return e.add(level+1, fold(row))
}

// compare holds the tile in the folder against what the entries say.
func (e *edge) compare(level int) error {
	row := e.rows[level]
	found, err := e.reader.read(fmt.Sprint(level), e.done[level], len(row))
	if err != nil {
		return err
	}
	var expected bytes.Buffer
	for _, hash := range row {
		expected.Write(hash[:])
	}
	if len(found) < expected.Len() || !bytes.Equal(found[:expected.Len()], expected.Bytes()) {
		return fmt.Errorf("tile/%d/%d is not the hashes of what is below it", level, e.done[level])
	}
	return nil
}

// finish compares the incomplete tiles and gives the root.
func (e *edge) finish() (tlog.Hash, error) {
	var parts []tlog.Hash
	for level := len(e.rows) - 1; level >= 0; level-- {
		if len(e.rows[level]) == 0 {
			continue
		}
		if err := e.compare(level); err != nil {
			return tlog.Hash{}, err
		}
		row := e.rows[level]
		for size := width; size > 0; size /= 2 {
			if len(row) >= size {
				parts = append(parts, fold(append([]tlog.Hash(nil), row[:size]...)))
				row = row[size:]
			}
		}
	}
	if len(parts) == 0 {
		return sha256.Sum256(nil), nil
	}
	root := parts[len(parts)-1]
	for i := len(parts) - 2; i >= 0; i-- {
		root = tlog.NodeHash(parts[i], root)
	}
	return root, nil
}

// fold gives the root of 2^k hashes, in their own place.
func fold(row []tlog.Hash) tlog.Hash {
	for n := len(row); n > 1; n /= 2 {
		for i := 0; i < n/2; i++ {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
	}
	return row[0]
}
