package splice

// Edit is the body of an EditText.
type Edit struct {
	Patch Patch
	After int64 // the changeset of the same replica whose text was edited; 0: the confirmed text was
	// On leads from the confirmed text to the text that was edited, where it is
	// not the one that changeset After left. HasOn tells an empty one from none.
	On    Patch
	HasOn bool
}
