package storetest

var scopeTests = []test{
	{"random groups beside a model", town, randomScopes},
}
