// Command gen writes codes.go and the client's codes.ts from spec/errors.json.
// Run it in the root of the repository, by way of go generate.
package main

import (
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	if err := run("spec/errors.json", "codes.go", "js/client/src/codes.ts"); err != nil {
		log.Fatal(err)
	}
}

func run(from, toGo, toTS string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	codes, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	source, err := goSource(codes)
	if err != nil {
		return err
	}
	if err := os.WriteFile(toGo, source, 0o644); err != nil {
		return err
	}
	return os.WriteFile(toTS, tsSource(codes), 0o644)
}
