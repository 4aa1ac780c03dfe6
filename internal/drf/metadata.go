package drf

// Metadata is the answer to OPTIONS: what the endpoint is called, what it can write and what it can read
// (DRF's SimpleMetadata for a view without a serializer of its own). Without browsable, pages are not among what it can write.
func Metadata(name, description string, browsable bool) Object {
	renders := []string{JSON.MediaType(), HTML.MediaType()}
	if !browsable {
		renders = renders[:1]
	}
	return Object{
		{"name", name},
		{"description", description},
		{"renders", renders},
		{"parses", []string{jsonType, formType, multipartType}},
	}
}
