package wire

// Schema brings a schema that the replica does not have yet.
type Schema struct {
	Hash string
	Body []byte // by schema.Encode
}

func (m *Schema) write(w *writer) {
	w.kind(kindSchema)
	w.str(m.Hash)
	w.raw(m.Body)
}

func (m *Schema) read(a *array) {
	m.Hash = a.str()
	m.Body = a.raw()
}
