package sample

var (
	adjectives = []string{
		"Amber", "Borrowed", "Brass", "Clumsy", "Copper", "Distant", "Early", "Electric", "Faded", "Gentle",
		"Hollow", "Idle", "Jagged", "Kindly", "Late", "Little", "Lonesome", "Magnetic", "Midnight", "Nervous",
		"Northern", "Open", "Paper", "Patient", "Quiet", "Reckless", "Restless", "Salted", "Second", "Silver",
		"Sleepy", "Slow", "Spare", "Tidal", "Twisted", "Unlikely", "Velvet", "Wandering", "Wooden", "Yesterday's",
	}
	nouns = []string{
		"Almanac", "Anchor", "Atlas", "Balcony", "Barometer", "Bicycle", "Candle", "Cartographer", "Comet", "Compass",
		"Corridor", "Ferry", "Garden", "Glasshouse", "Harbour", "Heron", "Island", "Kettle", "Ladder", "Lantern",
		"Lighthouse", "Magpie", "Meadow", "Mirror", "Notebook", "Orchard", "Parade", "Pendulum", "Quarry", "Railway",
		"Reservoir", "Saltmarsh", "Signal", "Staircase", "Suitcase", "Telegram", "Thimble", "Umbrella", "Weathervane", "Window",
	}
	verbs = []string{
		"Counting", "Crossing", "Drawing", "Finding", "Folding", "Following", "Keeping", "Leaving", "Losing", "Mending",
		"Missing", "Naming", "Painting", "Returning", "Saving", "Selling", "Sending", "Turning", "Waking", "Winding",
	}
	places = []string{
		"After Dark", "Again", "at Low Water", "Before Breakfast", "by Heart", "for Beginners", "from Memory", "in the Rain",
		"Next Door", "on Sundays", "out of Season", "Overnight", "Twice", "under the Bridge", "with the Lights On", "without a Map",
	}
	firstNames = []string{
		"Ada", "Anouk", "Bela", "Björn", "Carmen", "Dilan", "Edda", "Emre", "Farah", "Fiete", "Gudrun", "Hana", "Ines", "Iwo",
		"Jarek", "Joana", "Kaya", "Lale", "Linus", "Lou", "Malik", "Mette", "Nadia", "Nils", "Oda", "Orhan", "Pia", "Quim",
		"Rosa", "Ruben", "Sanne", "Selim", "Tove", "Ulla", "Vera", "Wim", "Yara", "Zoë", "春香", "Łucja",
	}
	lastNames = []string{
		"Achterberg", "Almeida", "Bakker", "Brandvold", "Castellan", "Dąbek", "Dorn", "Eriksen", "Fairweather", "Falk",
		"Gläser", "Haldane", "Ibsen", "Jansma", "Kettler", "Kowal", "Lindqvist", "Marsh", "Moreau", "Nakata",
		"Novak", "O'Hare", "Okafor", "Oster", "Pereira", "Quist", "Rask", "Saltzman", "Şahin", "Tamm",
		"Underhill", "Vesper", "Vidal", "Wachter", "Weir", "Xanthos", "Yilmaz", "Zeller", "Åkesson", "Ørsted",
	}
	towns = []string{
		"Aldermouth", "Brackenford", "Castle Ness", "Dunhaven", "Eastwick Sands", "Fernholm", "Grauwerder", "Hollin Quay", "Innishbar", "Kelpsund",
		"Lorne Bay", "Mirefleet", "Nordby", "Oysterholm", "Port Ellery", "Quillhaven", "Ravensund", "Saint-Obier", "Thornwater", "Vale do Sal",
	}
	genres = []string{
		"Ambient", "Bossa Nova", "Chamber", "Choral", "Dub", "Electronic", "Field Recording", "Folk", "Funk", "Improvised",
		"Indie", "Jazz", "Krautrock", "Metal", "Minimal", "Polka", "Post-Rock", "Shanty", "Soul", "Soundtrack",
	}
	titles   = []string{"Sales Agent", "Sales Agent", "Buyer", "Archivist", "Repairs", "Bookkeeper"}
	playlist = []string{"Morning Shift", "Shop Window", "Rainy Saturday", "Staff Picks", "Long Drive", "Closing Time", "Bargain Bin", "Kitchen", "Quiet Hours", "New Arrivals"}
)
