"""What attributes are called on pages: message ids. Those that no card has are not among them."""

from __future__ import annotations

NAMES = {
    "given_names": "Given names",
    "family_names": "Family name",
    "birth_name": "Name at birth",
    "artistic_name": "Religious or artistic name",
    "doctoral_degree": "Doctoral degree",
    "date_of_birth": "Date of birth",
    "place_of_birth": "Place of birth",
    "nationality": "Nationality",
    "address": "Address",
    "community_id": "Key of your municipality",
    "residence_permit": "Residence permit",
    "document_type": "Kind of document",
    "issuing_country": "Issuing country",
    "valid_until": "Last day of validity",
    "pseudonym": "A pseudonym for this service alone",
}
