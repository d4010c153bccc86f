package PVE::Multipath::CLI::Lun;

# Finds a LUN by its WWID or alias.

use v5.36;

use PVE::Multipath::Text qw(characters safe);

use Exporter qw(import);


our @EXPORT_OK = qw(find_lun configured_wwid);

# The entry of a list of { wwid, alias } with this WWID, else with this alias; undef if there is
# none.
sub find_lun($luns, $name) {
    my ($lun) = grep { $_->{wwid} eq $name } @$luns;
    return $lun if defined($lun);

    my @by_alias = grep { defined($_->{alias}) && $_->{alias} eq $name } @$luns;
    return $by_alias[0] if @by_alias <= 1;

    my $all = join(', ', sort map { safe(characters($_->{wwid})) } @by_alias);
    die "'" . safe(characters($name)) . "' is the alias of several LUNs, use the WWID: $all\n";
}

# The WWID of a configured LUN, by WWID or alias; undef if there is none.
sub configured_wwid($cfg, $name) {
    my $ids = $cfg->{ids};
    my @luns = map { { wwid => $_, alias => $ids->{$_}->{alias} } }
        grep { $ids->{$_}->{type} eq 'wwid' } keys %$ids;
    my $lun = find_lun(\@luns, $name) // return undef;
    return $lun->{wwid};
}

1;
