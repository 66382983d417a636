package sample

// tables in the order in which they are made and filled.
var tables = []string{
	`CREATE TABLE Artist (
  ArtistId INTEGER PRIMARY KEY,
  Name     TEXT NOT NULL UNIQUE
)`,
	`CREATE TABLE Genre (
  GenreId INTEGER PRIMARY KEY,
  Name    TEXT NOT NULL UNIQUE COLLATE NOCASE
)`,
	`CREATE TABLE Album (
  AlbumId  INTEGER PRIMARY KEY,
  Title    TEXT NOT NULL,
  ArtistId INTEGER NOT NULL REFERENCES Artist (ArtistId) ON DELETE CASCADE,
  Year     INTEGER CHECK (Year BETWEEN 1900 AND 2100),
  UNIQUE (ArtistId, Title)
)`,
	`CREATE TABLE Track (
  TrackId      INTEGER PRIMARY KEY,
  Name         TEXT NOT NULL CHECK (length(Name) > 0),
  AlbumId      INTEGER REFERENCES Album (AlbumId) ON DELETE CASCADE,
  Place        INTEGER NOT NULL,
  GenreId      INTEGER REFERENCES Genre (GenreId) ON DELETE SET NULL,
  Milliseconds INTEGER NOT NULL CHECK (Milliseconds > 0),
  UnitPrice    NUMERIC NOT NULL DEFAULT 0.99
)`,
	`CREATE TABLE Playlist (
  PlaylistId INTEGER PRIMARY KEY,
  Name       TEXT NOT NULL UNIQUE
)`,
	`CREATE TABLE PlaylistTrack (
  PlaylistId INTEGER NOT NULL REFERENCES Playlist (PlaylistId) ON DELETE CASCADE,
  TrackId    INTEGER NOT NULL REFERENCES Track (TrackId) ON DELETE CASCADE,
  PRIMARY KEY (PlaylistId, TrackId)
) WITHOUT ROWID`,
	`CREATE TABLE Employee (
  EmployeeId INTEGER PRIMARY KEY,
  FirstName  TEXT NOT NULL,
  LastName   TEXT NOT NULL,
  Title      TEXT,
  ReportsTo  INTEGER REFERENCES Employee (EmployeeId),
  HiredOn    TEXT,
  Email      TEXT UNIQUE
)`,
	`CREATE TABLE Customer (
  CustomerId   INTEGER PRIMARY KEY,
  FirstName    TEXT NOT NULL,
  LastName     TEXT NOT NULL,
  Company      TEXT,
  Street       TEXT,
  Town         TEXT,
  Email        TEXT NOT NULL UNIQUE,
  SupportRepId INTEGER REFERENCES Employee (EmployeeId) ON DELETE SET NULL
)`,
	`CREATE TABLE Invoice (
  InvoiceId  INTEGER PRIMARY KEY,
  CustomerId INTEGER NOT NULL REFERENCES Customer (CustomerId),
  IssuedOn   TEXT NOT NULL,
  Total      NUMERIC NOT NULL DEFAULT 0
)`,
	`CREATE TABLE InvoiceLine (
  InvoiceId INTEGER NOT NULL REFERENCES Invoice (InvoiceId) ON DELETE CASCADE,
  Line      INTEGER NOT NULL,
  TrackId   INTEGER NOT NULL REFERENCES Track (TrackId),
  UnitPrice NUMERIC NOT NULL,
  Quantity  INTEGER NOT NULL CHECK (Quantity > 0),
  PRIMARY KEY (InvoiceId, Line)
)`,
}

// extras come after the rows, so that loading is fast and no trigger fires for it.
var extras = []string{
	`UPDATE Invoice SET Total = (SELECT round(sum(UnitPrice * Quantity), 2) FROM InvoiceLine WHERE InvoiceLine.InvoiceId = Invoice.InvoiceId)`,
	`CREATE INDEX AlbumByArtist ON Album (ArtistId)`,
	`CREATE INDEX TrackByAlbum ON Track (AlbumId, Place)`,
	`CREATE INDEX TrackByGenre ON Track (GenreId)`,
	`CREATE INDEX PlaylistTrackByTrack ON PlaylistTrack (TrackId)`,
	`CREATE INDEX CustomerByRep ON Customer (SupportRepId)`,
	`CREATE INDEX InvoiceByCustomer ON Invoice (CustomerId)`,
	`CREATE INDEX InvoiceLineByTrack ON InvoiceLine (TrackId)`,
	`CREATE VIEW TrackList AS
  SELECT Track.TrackId, Track.Name, Album.Title AS Album, Artist.Name AS Artist, Genre.Name AS Genre
  FROM Track
  LEFT JOIN Album ON Album.AlbumId = Track.AlbumId
  LEFT JOIN Artist ON Artist.ArtistId = Album.ArtistId
  LEFT JOIN Genre ON Genre.GenreId = Track.GenreId`,
	totalTrigger("InvoiceLineAdded", "AFTER INSERT", "NEW"),
	totalTrigger("InvoiceLineChanged", "AFTER UPDATE OF UnitPrice, Quantity", "NEW"),
	totalTrigger("InvoiceLineRemoved", "AFTER DELETE", "OLD"),
}

// totalTrigger keeps Invoice.Total right; it writes a synced table, so it
// fires where the line was written and nowhere else.
func totalTrigger(name, event, row string) string {
	return `CREATE TRIGGER ` + name + ` ` + event + ` ON InvoiceLine BEGIN
  UPDATE Invoice SET Total = (SELECT coalesce(round(sum(UnitPrice * Quantity), 2), 0) FROM InvoiceLine WHERE InvoiceId = ` + row + `.InvoiceId)
  WHERE InvoiceId = ` + row + `.InvoiceId;
END`
}
