package PVE::RS::Multipath::Sections;
use base 'PVE::RS::Multipath';
BEGIN { __PACKAGE__->bootstrap(); }
1;
