package policy

import "github.com/tidemarkdb/tidemark"

// cannot says why values of a column cannot merge by a policy, or "".
func cannot(c *tidemark.Column, p tidemark.Policy) string {
	switch p {
	case tidemark.PolicyCounter:
		return notNumeric(c, "adds numbers up")
	case tidemark.PolicySet:
		return notText(c, "needs a column that holds a JSON array as text")
	case tidemark.PolicyJSON:
		return notText(c, "needs a column that holds a JSON object as text")
	case tidemark.PolicyText:
		return notText(c, "needs a column of text")
	}
	return ""
}

func notNumeric(c *tidemark.Column, does string) string {
	switch c.Affinity {
	case tidemark.AffinityInteger, tidemark.AffinityReal, tidemark.AffinityNumeric:
		return ""
	case tidemark.AffinityBlob:
		if c.Type == "" {
			return ""
		}
	}
	return does
}

func notText(c *tidemark.Column, needs string) string {
	switch c.Affinity {
	case tidemark.AffinityText:
		return ""
	case tidemark.AffinityBlob:
		if c.Type == "" {
			return ""
		}
	}
	return needs
}
