package PVE::Multipath::CLI::Lun;

# Which LUN a person means: a name is its WWID, or its alias.

use v5.36;

use PVE::Multipath::Text qw(characters safe);

use Exporter qw(import);


our @EXPORT_OK = qw(find_lun configured_wwid);

# Of a list of { wwid, alias }: that of this WWID, else that of this alias; undef if there is none.
sub find_lun($luns, $name) {
    my ($lun) = grep { $_->{wwid} eq $name } @$luns;
    return $lun if defined($lun);

    my @by_alias = grep { defined($_->{alias}) && $_->{alias} eq $name } @$luns;
    return $by_alias[0] if @by_alias <= 1;

    my $all = join(', ', sort map { safe(characters($_->{wwid})) } @by_alias);
    die "'" . safe(characters($name)) . "' is the alias of several LUNs, name one by its WWID: $all\n";
}

# The WWID of a LUN of the configuration, by either name; undef if it has none.
sub configured_wwid($cfg, $name) {
    my $ids = $cfg->{ids};
    my @luns = map { { wwid => $_, alias => $ids->{$_}->{alias} } }
        grep { $ids->{$_}->{type} eq 'wwid' } keys %$ids;
    my $lun = find_lun(\@luns, $name) // return undef;
    return $lun->{wwid};
}

1;
