package tidemark

import "strings"

// appPrefix begins every code that an app made up; none of spec/errors.json has a colon.
const appPrefix = "app:"

// maxAppCode bounds the name of an app's code.
const maxAppCode = 64

// AppCode makes a code of the app's own, by which a hook rejects changesets:
// AppCode("credit_limit") is "app:credit_limit". A name is made of lower-case
// letters, digits and underscores, begins with a letter and has up to 64
// characters. For another one ok is false.
func AppCode(name string) (code Code, ok bool) {
	if len(name) > maxAppCode || name == "" || name[0] < 'a' || 'z' < name[0] {
		return "", false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) && c != '_' {
			return "", false
		}
	}
	return Code(appPrefix + name), true
}

// App returns the name that the app gave to a code of its own, and false for
// the codes of spec/errors.json.
func (c Code) App() (name string, ok bool) {
	name, ok = strings.CutPrefix(string(c), appPrefix)
	if ok {
		_, ok = AppCode(name)
	}
	if !ok {
		return "", false
	}
	return name, true
}
