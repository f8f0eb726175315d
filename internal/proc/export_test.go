package proc

// SearchChildren is what Children does on a kernel that does not list them.
var SearchChildren = searchChildren
