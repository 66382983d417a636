package hub

// ForgetBridges makes a hub find all bridges anew, as after a start.
func ForgetBridges(h *Hub) { h.bridges = bridges{} }
