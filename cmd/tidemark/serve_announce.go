package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/tidemarkdb/tidemark/server"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// serving is what serve prints with --json.
type serving struct {
	Address string        `json:"address"`
	URL     string        `json:"url"`
	Dir     string        `json:"dir,omitempty"`
	Spaces  []servedSpace `json:"spaces"`
}

type servedSpace struct {
	Name     string `json:"name"`
	File     string `json:"file"`
	URL      string `json:"url"`
	Policies string `json:"policies,omitempty"` // the file that declares them
	scoping
}

// scoping is in what parts a space is copied.
type scoping struct {
	Scopes []string `json:"scopes,omitempty"` // kinds
	Loose  []string `json:"loose,omitempty"`  // foreign keys that copies go without
}

// readScoping reads it from a served file. What cannot be read is left out: serving
// has said what is wrong.
func readScoping(path string) (p scoping) {
	r, err := sqlite.Read(path)
	if err != nil {
		return p
	}
	defer func() { _ = r.Close() }()
	return scoping{r.Schema.Scopes, loosened(r.Schema)}
}

func (c *serveCommand) announce(s *shell, address string, srv *server.Server) error {
	d := serving{Address: address, URL: c.scheme() + address, Dir: c.Dir, Spaces: []servedSpace{}}
	list, err := srv.Spaces()
	if err != nil {
		return err
	}
	for _, sp := range list {
		d.Spaces = append(d.Spaces, servedSpace{sp.Name, sp.Path, d.URL + "/" + url.PathEscape(sp.Name), sp.Policies, readScoping(sp.Path)})
	}
	c.introduce(s, d)
	if err := s.document(d); err != nil {
		return err
	}
	if c.ReadyFile == "" {
		return nil
	}
	// Written beside and renamed, so that a script never reads half of it.
	part := c.ReadyFile + ".part"
	if err := os.WriteFile(part, []byte(address+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(part, c.ReadyFile)
}

// mostSpaces are listed when the server starts.
const mostSpaces = 20

func (c *serveCommand) introduce(s *shell, d serving) {
	defer c.warn(s, d.Address)
	if c.Dir != "" {
		s.printf("serving %s of %s\n", plural(len(d.Spaces), "file"), c.Dir)
	}
	for i, sp := range d.Spaces {
		if i == mostSpaces {
			s.printf("  and %d more\n", len(d.Spaces)-i)
			break
		}
		s.printf("serving %s as space %s\n  %s\n", sp.File, sp.Name, sp.URL)
		if sp.Policies != "" {
			s.printf("  policies: %s\n", sp.Policies)
		}
		if len(sp.Scopes) > 0 {
			s.printf("  scopes: %s\n", strings.Join(sp.Scopes, ", "))
		}
		for _, fk := range sp.Loose {
			s.printf("  copies go without the foreign key of %s: they may hold a row and not the one that it refers to\n", fk)
		}
	}
	example := d.URL + "/NAME"
	if len(d.Spaces) > 0 {
		example = d.Spaces[0].URL
	}
	if c.guide != nil {
		c.guide(s, example)
		return
	}
	who := ""
	if c.asks() {
		who = " --token-file TOKEN"
	}
	s.printf("\nIn another terminal:\n  tidemark clone %s copy.db%s\n  tidemark sync --watch copy.db%s\n\nCtrl-C stops the server.\n", quoteArg(example), who, who)
}

func (c *serveCommand) warn(s *shell, address string) {
	switch {
	case loopback(address):
	case !c.asks():
		_, _ = fmt.Fprintf(s.err, "tidemark: warning: everyone who can reach %s can read and write these spaces\n", address)
	case c.Cert == "":
		_, _ = fmt.Fprintf(s.err, "tidemark: warning: without --tls-cert, or a proxy in front that speaks HTTPS, whoever listens on the way to %s can take people's tokens\n", address)
	}
}
