"""The CRM objects: shapes near enough to the real ones that a schema built from them looks familiar."""

from __future__ import annotations

from integration_tests.simulated_org.objects import SObject, declare


def _address(prefix: str) -> str:
    return f"""
    {prefix}Street textarea(255) of={prefix}Address
    {prefix}City string(40) of={prefix}Address
    {prefix}State string(80) of={prefix}Address
    {prefix}PostalCode string(20) of={prefix}Address
    {prefix}Country string(80) of={prefix}Address
    {prefix}Latitude double(18,15) of={prefix}Address
    {prefix}Longitude double(18,15) of={prefix}Address
    {prefix}GeocodeAccuracy picklist(Address|Street|City) of={prefix}Address
    {prefix}Address address
    """


_OWNER = "OwnerId reference(User:Owner) required"

ACCOUNT = declare(
    "Account",
    "001",
    f"""
    MasterRecordId reference(Account:MasterRecord)
    Name string(255) required name of=Name
    Type picklist(Prospect|Customer - Direct|Customer - Channel|Technology Partner|Other)
    ParentId reference(Account:Parent)
    {_address("Billing")}
    {_address("Shipping")}
    Phone phone
    Website url
    PhotoUrl url nofilter formula
    Industry picklist(Agriculture|Banking|Energy|Retail|Technology)
    AnnualRevenue currency(18,0)
    NumberOfEmployees int(8,0)
    Description textarea(32000)
    Rating picklist(Hot|Warm|Cold)
    {_OWNER}
    LastActivityDate date
    LastViewedDate datetime
    AccountNumber string(40)
    Active__c picklist(Yes|No)
    SLA_Expiration__c date
    Score__c double(10,4)
    """,
    volume=300,
)

CONTACT = declare(
    "Contact",
    "003",
    f"""
    MasterRecordId reference(Contact:MasterRecord)
    AccountId reference(Account:Account)
    LastName string(80) required of=Name
    FirstName string(40) of=Name
    Salutation picklist(Mr.|Ms.|Dr.) of=Name
    Name string(121) required name formula
    {_address("Mailing")}
    Phone phone
    MobilePhone phone
    ReportsToId reference(Contact:ReportsTo)
    Email email
    Title string(128)
    Department string(80)
    Birthdate date
    LeadSource picklist(Web|Phone Inquiry|Partner|Other)
    Description textarea(32000)
    {_OWNER}
    HasOptedOutOfEmail boolean required
    LastActivityDate date
    EmailBouncedDate datetime
    IsEmailBounced boolean required
    Level__c picklist(Primary|Secondary|Tertiary)
    Languages__c multipicklist(English|German|French|Spanish)
    """,
    volume=2_500,
)

LEAD = declare(
    "Lead",
    "00Q",
    f"""
    MasterRecordId reference(Lead:MasterRecord)
    LastName string(80) required of=Name
    FirstName string(40) of=Name
    Name string(121) required name formula
    Title string(128)
    Company string(255) required
    Street textarea(255) of=Address
    City string(40) of=Address
    PostalCode string(20) of=Address
    Country string(80) of=Address
    Latitude double(18,15) of=Address
    Longitude double(18,15) of=Address
    Address address
    Phone phone
    Email email
    Status picklist(Open - Not Contacted|Working - Contacted|Closed - Converted) required
    Rating picklist(Hot|Warm|Cold)
    AnnualRevenue currency(18,0)
    NumberOfEmployees int(8,0)
    {_OWNER}
    IsConverted boolean required
    ConvertedDate date
    ConvertedAccountId reference(Account:ConvertedAccount)
    Description textarea(32000)
    """,
    volume=400,
)

OPPORTUNITY = declare(
    "Opportunity",
    "006",
    f"""
    AccountId reference(Account:Account)
    IsPrivate boolean required
    Name string(120) required name
    Description textarea(32000)
    StageName picklist(Prospecting|Qualification|Proposal|Closed Won|Closed Lost) required
    Amount currency(18,2)
    Probability percent(3,0)
    ExpectedRevenue currency(18,2) formula
    TotalOpportunityQuantity double(18,2)
    CloseDate date required
    Type picklist(New Customer|Existing Customer - Upgrade)
    NextStep string(255)
    LeadSource picklist(Web|Phone Inquiry|Partner|Other)
    IsClosed boolean required formula
    IsWon boolean required formula
    ForecastCategory picklist(Pipeline|BestCase|Closed|Omitted) required
    CampaignId reference(Campaign:Campaign)
    HasOpportunityLineItem boolean required
    {_OWNER}
    FiscalQuarter int(1,0) of=Fiscal
    FiscalYear int(4,0) of=Fiscal
    ContactId reference(Contact:Contact)
    LastStageChangeDate datetime
    OrderNumber__c string(8)
    """,
    volume=2_000,
)

LINE_ITEM = declare(
    "OpportunityLineItem",
    "00k",
    """
    OpportunityId reference(Opportunity:Opportunity) required
    SortOrder int(9,0)
    Product2Id reference(Product2:Product2)
    ProductCode string(255)
    Name string(376) name
    Quantity double(12,2) required
    TotalPrice currency(18,2) formula
    UnitPrice currency(18,2)
    ListPrice currency(18,2)
    ServiceDate date
    Description string(255)
    """,
    volume=900,
)

CASE = declare(
    "Case",
    "500",
    f"""
    MasterRecordId reference(Case:MasterRecord)
    CaseNumber string(30) required name
    ContactId reference(Contact:Contact)
    AccountId reference(Account:Account)
    ParentId reference(Case:Parent)
    SuppliedEmail email
    Type picklist(Mechanical|Electrical|Other)
    Status picklist(New|Working|Escalated|Closed)
    Reason picklist(Installation|Performance|Breakdown)
    Origin picklist(Phone|Email|Web)
    Subject string(255)
    Priority picklist(High|Medium|Low)
    Description textarea(32000)
    IsClosed boolean required formula
    ClosedDate datetime
    IsEscalated boolean required
    {_OWNER}
    """,
    volume=400,
)

TASK = declare(
    "Task",
    "00T",
    f"""
    WhoId reference(Contact|Lead:Who)
    WhatId reference(Account|Opportunity|Case:What)
    Subject combobox(Call|Email|Send Letter)
    ActivityDate date
    Status picklist(Not Started|In Progress|Completed) required
    Priority picklist(High|Normal|Low) required
    IsHighPriority boolean required
    {_OWNER}
    Description textarea(32000)
    IsClosed boolean required formula
    IsArchived boolean required
    CallDurationInSeconds int(8,0)
    CallType picklist(Internal|Inbound|Outbound)
    CompletedDateTime datetime
    ReminderDateTime datetime
    IsReminderSet boolean required
    """,
    volume=600,
)

EVENT = declare(
    "Event",
    "00U",
    f"""
    WhoId reference(Contact|Lead:Who)
    WhatId reference(Account|Opportunity|Case:What)
    Subject combobox(Call|Meeting|Other)
    Location string(255)
    IsAllDayEvent boolean required
    ActivityDateTime datetime
    ActivityDate date
    DurationInMinutes int(8,0)
    StartDateTime datetime
    EndDateTime datetime
    Description textarea(32000)
    {_OWNER}
    IsArchived boolean required
    """,
    volume=200,
)

USER = declare(
    "User",
    "005",
    f"""
    Username string(80) required
    LastName string(80) required of=Name
    FirstName string(40) of=Name
    Name string(121) required name formula
    CompanyName string(80)
    {_address("")}
    Email email required
    Alias string(8) required
    IsActive boolean required
    TimeZoneSidKey picklist(America/Los_Angeles|Europe/Berlin|Asia/Tokyo) required
    UserType picklist(Standard|Guest|AutomatedProcess)
    LastLoginDate datetime
    ManagerId reference(User:Manager)
    """,
    audit="undeleted",
    volume=25,
    soft_deletes=False,
)

CAMPAIGN = declare(
    "Campaign",
    "701",
    f"""
    Name string(80) required name
    ParentId reference(Campaign:Parent)
    Type picklist(Conference|Webinar|Email)
    Status picklist(Planned|In Progress|Completed)
    StartDate date
    EndDate date
    ExpectedRevenue currency(18,0)
    BudgetedCost currency(18,0)
    ExpectedResponse percent(10,2)
    NumberSent double(18,0)
    IsActive boolean required
    Description textarea(32000)
    NumberOfLeads int(9,0) required
    {_OWNER}
    """,
    volume=30,
)

CAMPAIGN_MEMBER = declare(
    "CampaignMember",
    "00v",
    """
    CampaignId reference(Campaign:Campaign) required
    LeadId reference(Lead:Lead)
    ContactId reference(Contact:Contact)
    Status picklist(Sent|Responded)
    HasResponded boolean required formula
    FirstRespondedDate date
    Name string(121) formula
    Email email
    """,
    volume=500,
    soft_deletes=False,
)

PRODUCT = declare(
    "Product2",
    "01t",
    """
    Name string(255) required name
    ProductCode string(255)
    Description textarea(4000)
    IsActive boolean required
    Family picklist(Hardware|Software|Service)
    QuantityUnitOfMeasure picklist(Each|Box)
    StockKeepingUnit string(180)
    IsArchived boolean required
    """,
    volume=60,
)


def standard_objects() -> list[SObject]:
    """Return the CRM objects with their full audit fields."""
    return [
        ACCOUNT,
        CONTACT,
        LEAD,
        OPPORTUNITY,
        LINE_ITEM,
        CASE,
        TASK,
        EVENT,
        USER,
        CAMPAIGN,
        CAMPAIGN_MEMBER,
        PRODUCT,
    ]
